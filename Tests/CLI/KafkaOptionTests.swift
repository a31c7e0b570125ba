import Foundation
import Messaging
import Runtime
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Command line options for Kafka", .timeLimit(.minutes(15)), .inTurn)
struct KafkaOptionTests {
  private func parse(_ words: String..., of command: CommandSpec = serveCommand) throws -> KafkaSettings? {
    try Self.invocation(words, of: command).kafka()
  }

  private static func invocation(
    _ words: [String], of command: CommandSpec, variables: [String: String] = [:]
  ) throws -> Invocation {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    return Invocation(
      command: command, arguments: try ParsedArguments(words, for: command), terminal: terminal, environment: .fake(),
      variables: variables,
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
  }

  /// Returns the message with which the arguments are refused; "taken" when they are accepted.
  private func refusal(_ words: String...) -> String {
    do {
      _ = try Self.invocation(words, of: serveCommand).kafka()
      return "taken"
    } catch let error as any CodedError {
      return error.message
    } catch {
      return "\(error)"
    }
  }

  private func file(_ content: String, _ body: (String) throws -> Void) throws {
    let file = try TestFolder.new("options").appending(path: "kafka.conf")
    try Data(content.utf8).write(to: file)
    try body(file.path)
  }

  @Test("without options for it there is no Kafka")
  func none() throws { #expect(try parse() == nil) }

  @Test("with only the brokers every other setting has its default")
  func usual() throws {
    let settings = try #require(try parse("--kafka", "a:9092,[::1]:9093"))
    #expect(settings.cluster == KafkaCluster(brokers: "a:9092,[::1]:9093"))
    #expect(settings.topics == KafkaTopicNames())
    #expect(settings.topics.events == "laboratory.saga.events")
    #expect(settings.topics.commands == "saga.commands")
    #expect(settings.topics.replies == "saga.replies")
    #expect(settings.topics.deadLetters == "laboratory.dead-letter")
    #expect(settings.group == "saga-engine")
    #expect(settings.registry == nil)
    #expect(
      settings.services.map { $0.name } == [
        "samples", "storage", "sequencing", "notification", "accession", "qc", "pipeline", "library-prep", "pooling",
      ])
    #expect(settings.services.first?.topic == "laboratory.samples.commands")
    #expect(settings.services.allSatisfy { $0.tombstones })
  }

  @Test("every setting can be changed")
  func named() throws {
    let settings = try #require(
      try parse(
        "--kafka", "a:1", "--kafka-config", "sasl.password=a=b", "--kafka-config", "acks=1", "--kafka-config=acks=all",
        "--kafka-topic", "events=e", "--kafka-topic", "dead-letter=d", "--kafka-group", "g", "--kafka-service",
        "freezer=lab.freezer,tombstones", "--kafka-service", "mail=x", "--kafka-service", "mail=lab.mail",
        "--schema-registry", "https://registry:8081/"))
    // The last value of a name is used.
    #expect(settings.cluster.properties == [.init("sasl.password", "a=b"), .init("acks", "all")])
    #expect(settings.topics.events == "e")
    #expect(settings.topics.deadLetters == "d")
    #expect(settings.topics.commands == "saga.commands")
    #expect(settings.group == "g")
    #expect(
      settings.services == [
        KafkaServiceEntry(name: "freezer", topic: "lab.freezer", tombstones: true),
        KafkaServiceEntry(name: "mail", topic: "lab.mail", tombstones: false),
      ])
    #expect(settings.registry == "https://registry:8081")
  }

  @Test("properties can be read from a file")
  func properties() throws {
    try file("# of the cluster\r\n\n security.protocol = SASL_SSL\r\nsasl.password= p#=ä \nacks=1") { path in
      let settings = try #require(
        try parse("--kafka", "a:1", "--kafka-config", "@\(path)", "--kafka-config", "acks=all"))
      #expect(
        settings.cluster.properties == [
          .init("security.protocol", "SASL_SSL"), .init("sasl.password", "p#=ä"), .init("acks", "all"),
        ])
    }
  }

  @Test("a registry's URL with a password can be read from a file")
  func registryFile() throws {
    try file(" https://u:hunter2@registry:8081/\n") { path in
      let settings = try #require(try parse("--kafka", "a:1", "--schema-registry", "@\(path)"))
      #expect(settings.registry == "https://u:hunter2@registry:8081")
    }
    try file("hunter2\n") { path in
      let message = refusal("--kafka", "a:1", "--schema-registry", "@\(path)")
      #expect(message == "--schema-registry wants a URL that begins with http:// or https://")
    }
  }

  @Test("a line of a file that is not a property is named by its place alone")
  func badLine() throws {
    try file("acks=1\nsecret-word\n") { path in
      let message = refusal("--kafka", "a:1", "--kafka-config", "@\(path)")
      #expect(message == "\(path):2 is no NAME=VALUE")
    }
    #expect(refusal("--kafka", "a:1", "--kafka-config", "@/nowhere/x").hasPrefix("can't read /nowhere/x"))
  }

  @Test(
    "an option for Kafka without --kafka is refused",
    arguments: [
      ["--kafka-config", "a=b"], ["--kafka-topic", "events=x"], ["--kafka-group", "g"], ["--kafka-service", "a=b"],
      ["--schema-registry", "http://x"],
    ])
  func alone(_ words: [String]) {
    #expect(
      refusal(words[0], words[1]) == "\(words[0]) says something of Kafka, but --kafka BROKERS doesn't say where it is")
  }

  @Test(
    "an invalid option is refused, with the option that was probably meant",
    arguments: [
      (["--kafka", "a"], "--kafka wants HOST:PORT, several with commas, not \"a\""),
      (["--kafka", "a:1,"], "--kafka wants HOST:PORT, several with commas, not \"\""),
      (["--kafka", "a:0"], "--kafka wants HOST:PORT, several with commas, not \"a:0\""),
      (["--kafka", "http://a:1"], "--kafka wants HOST:PORT, several with commas, not \"http://a:1\""),
      (["--kafka-topic", "event=x"], "--kafka-topic knows no \"event\"; did you mean events?"),
      (
        ["--kafka-topic", "zebra=x"],
        "--kafka-topic knows no \"zebra\"; there is events, commands, replies, notices, dead-letter"
      ),
      (["--kafka-topic", "events"], "--kafka-topic wants ROLE=NAME, not \"events\""),
      (
        ["--kafka-topic", "events=a b"],
        "\"a b\" is no topic's name: up to 249 letters, digits, dots, underscores and hyphens"
      ),
      (
        ["--kafka-topic", "events=saga.commands"],
        "the topic saga.commands can't be that of commands and of events at once"
      ),
      (
        ["--kafka-service", "a=saga.replies"],
        "the topic saga.replies can't be that of replies and of the service a at once"
      ),
      (["--kafka-service", "a"], "--kafka-service wants NAME=TOPIC or NAME=TOPIC,tombstones, not \"a\""),
      (["--kafka-service", "a=b c"], "--kafka-service wants NAME=TOPIC or NAME=TOPIC,tombstones, not \"a=b c\""),
      (["--kafka-group", " "], "--kafka-group wants a name"),
      (["--schema-registry", "registry:8081"], "--schema-registry wants a URL that begins with http:// or https://"),
      (["--kafka-config", "group.id=x"], "group.id is what --kafka-group says; it is no --kafka-config"),
      (["--kafka-config", "bootstrap.servers=x"], "bootstrap.servers is what --kafka says; it is no --kafka-config"),
    ])
  func refusals(_ words: [String], _ message: String) {
    let all = words[0] == "--kafka" ? words : ["--kafka", "a:1"] + words
    #expect((all.count == 2 ? refusal(all[0], all[1]) : refusal(all[0], all[1], all[2], all[3])) == message)
  }

  @Test("a password is in no message and no description")
  func secrets() throws {
    #expect(!refusal("--kafka", "user:hunter2@a:1").contains("hunter2"))
    #expect(!refusal("--kafka", "a:1", "--kafka-config", "hunter2").contains("hunter2"))
    #expect(!refusal("--kafka", "a:1", "--schema-registry", "hunter2@x").contains("hunter2"))
    let settings = try #require(
      try parse(
        "--kafka", "a:1", "--kafka-config", "sasl.password=hunter2", "--schema-registry", "https://u:hunter2@r:8081"))
    #expect(!"\(settings.cluster) \(String(reflecting: settings.cluster))".contains("hunter2"))
    #expect(
      settings.shown.map { "\($0.name) \($0.value)" } == [
        "kafka a:1, echo to laboratory.saga.events", "registry https://…@r:8081",
      ])
    #expect(settings.registry == "https://u:hunter2@r:8081")
  }

  @Test("a property's value may come from a variable or a file, and no error has it")
  func values() throws {
    try file("geheim\n") { secret in
      try file("sasl.username=env:KAFKA_USER\n") { properties in
        let words = [
          "--kafka", "a:1", "--kafka-config", "sasl.password=file:\(secret)", "--kafka-config", "@\(properties)",
          "--kafka-config", "client.rack=envoy",
        ]
        let settings = try Self.invocation(words, of: serveCommand, variables: ["KAFKA_USER": "saga"]).kafka()
        #expect(
          settings?.cluster.properties == [
            .init("sasl.password", "geheim"), .init("sasl.username", "saga"), .init("client.rack", "envoy"),
          ])
        #expect("\(settings?.cluster.properties ?? [])".contains("geheim") == false)
      }
    }
    #expect(
      refusal("--kafka", "a:1", "--kafka-config", "sasl.password=env:NOT_SET").contains(
        "sasl.password wants the environment variable NOT_SET"))
    #expect(refusal("--kafka", "a:1", "--kafka-config", "sasl.password=file:/none").contains("can't read /none"))
  }
}
