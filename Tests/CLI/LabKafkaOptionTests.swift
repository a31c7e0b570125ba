import Laboratory
import Messaging
import Runtime
import TestSupport
import Testing
import Values

@testable import saga

@Suite("Command line options of the laboratory for Kafka", .timeLimit(.minutes(15)), .inTurn)
struct LabKafkaOptionTests {
  private func parse(_ words: [String]) throws -> LabKafka.Configuration? {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    return try Invocation(
      command: labCommand, arguments: try ParsedArguments(words, for: labCommand), terminal: terminal,
      environment: .fake(), variables: [:],
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") }
    ).labKafka()
  }

  @Test("without options for it there is no Kafka")
  func none() throws { #expect(try parse([]) == nil) }

  @Test("with only the brokers every topic has its default name, and each can have another")
  func named() throws {
    let usual = try #require(try parse(["--kafka", "a:9092"]))
    #expect(usual.cluster == KafkaCluster(brokers: "a:9092"))
    #expect(usual.topics == LabKafka.Topics() && usual.group == "laboratory")
    // The engine's default names for the topics.
    for entry in KafkaServiceEntry.laboratory {
      #expect(LabService(rawValue: entry.name).map { usual.topics[.commands($0)] } == entry.topic)
    }
    #expect(usual.topics.deadLetter == KafkaTopicNames().deadLetters)
    let words = LabKafka.Topics.Role.allCases.flatMap { ["--kafka-topic", "\($0)=x.\($0)"] }
    let other = try #require(
      try parse(["--kafka", "a:1", "--kafka-config", "sasl.password=hunter2", "--kafka-group", "g"] + words))
    for role in LabKafka.Topics.Role.allCases { #expect(other.topics[role] == "x.\(role)") }
    #expect(other.cluster.properties == [KafkaCluster.Property("sasl.password", "hunter2")] && other.group == "g")
    #expect(other.shown == "a:1, commands from x.samples.commands and 8 more")
  }

  @Test(
    "an invalid option is refused, with the option that was probably meant",
    arguments: [
      (
        ["--kafka-topic", "samples.commands=x"],
        "--kafka-topic says something of Kafka, but --kafka BROKERS doesn't say where it is"
      ),
      (["--kafka", "a"], "--kafka wants HOST:PORT, several with commas, not \"a\""),
      (["--kafka", "a:1", "--kafka-topic", "x"], "--kafka-topic wants ROLE=NAME, not \"x\""),
      (
        ["--kafka", "a:1", "--kafka-topic", "sample.commands=x"],
        "--kafka-topic knows no \"sample.commands\"; did you mean samples.commands?"
      ),
      (
        ["--kafka", "a:1", "--kafka-topic", "dead-letter=a b"],
        "“a b” can't be the topic of dead-letter: it is not the name of a topic."
      ),
      (
        ["--kafka", "a:1", "--kafka-topic", "dead-letter=laboratory.sample.events"],
        "The topic laboratory.sample.events can't be that of samples.events and of dead-letter at once."
      ),
      (["--kafka", "a:1", "--kafka-group", " "], "--kafka-group wants a name"),
    ])
  func refusals(_ words: [String], _ message: String) {
    let error = #expect(throws: UsageError.self) { try parse(words) }
    #expect(error?.message == message)
  }
}
