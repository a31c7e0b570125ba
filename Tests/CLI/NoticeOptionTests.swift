import Foundation
import HTTP
import Messaging
import Notifications
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import saga

@Suite("Command line options for notices", .timeLimit(.minutes(15)), .inTurn)
struct NoticeOptionTests {
  static let secret = "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()

  private static func invocation(_ words: [String], _ variables: [String: String]) throws -> Invocation {
    let terminal = Terminal(
      write: { _ in }, complain: { _ in }, read: { nil }, isTerminal: false, style: .plain, errorStyle: .plain)
    return Invocation(
      command: serveCommand, arguments: try ParsedArguments(words, for: serveCommand), terminal: terminal,
      environment: .fake(), variables: variables,
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
  }

  private func parse(_ words: String..., variables: [String: String] = ["SAGA_WEBHOOK_SECRET": secret]) throws
    -> NoticeSettings
  {
    try Self.invocation(words, variables).notices()
  }

  /// The code and the words that it is refused with.
  private func refusal(_ words: [String], variables: [String: String] = ["SAGA_WEBHOOK_SECRET": secret]) -> String {
    do {
      _ = try Self.invocation(words, variables).notices()
      return "taken"
    } catch let error as any CodedError {
      return "\(error.message) [\(error.code)]"
    } catch {
      return "\(error)"
    }
  }

  private func file(_ content: String, _ body: (String) throws -> Void) throws {
    let file = try TestFolder.new("options").appending(path: "webhooks.json")
    try Data(content.utf8).write(to: file)
    try body(file.path)
  }

  @Test("without options only Kafka gets notices, if there is one")
  func none() throws {
    let settings = try parse(variables: [:])
    #expect(settings.webhooks.isEmpty && settings.kafkaTypes == NoticeType.usual && settings.shown.isEmpty)
  }

  @Test("a URL is enough; a name and types may be given")
  func webhooks() throws {
    let settings = try parse(
      "--webhook", "https://pager.lab:8443/saga?a=b", "--webhook", "night=http://[::1]:9/x,saga.stuck,saga.abandoned")
    #expect(settings.webhooks.map(\.name) == ["pager.lab-8443", "night"])
    #expect(settings.webhooks.map(\.url) == ["https://pager.lab:8443/saga?a=b", "http://[::1]:9/x"])
    #expect(settings.webhooks.map(\.types) == [NoticeType.usual, [.sagaStuck, .sagaAbandoned]])
    #expect(try settings.webhooks[0].secrets == WebhookSecret.read(Self.secret))
    #expect(settings.shown.map(\.value) == ["pager.lab-8443, https://pager.lab:8443", "night, http://[::1]:9"])
    #expect(settings.configuration.giveUpAfter == .seconds(86_400))
    #expect(try parse("--notice-patience", "36h").configuration.giveUpAfter == .seconds(36 * 3_600))
    #expect(!"\(settings)".contains(Self.secret.dropFirst(6)))
  }

  @Test("a file has several, each with its secret")
  func inAFile() throws {
    try file("\(Self.secret)\n") { secret in
      let content = """
        [{"name": "pager", "url": "https://u:hunter2@pager.lab/x", "secretFile": "\(secret)", "types": ["saga.stuck"]},
         {"name": "chat", "url": "http://bot.lab", "secretEnv": "CHAT"}]
        """
      try file(content) { path in
        let settings = try parse("--webhooks", path, variables: ["CHAT": Self.secret])
        #expect(settings.webhooks.map(\.name) == ["pager", "chat"])
        #expect(settings.webhooks.map(\.types) == [[.sagaStuck], NoticeType.usual])
        #expect(settings.shown.map(\.value) == ["pager, https://pager.lab", "chat, http://bot.lab"])
      }
    }
  }

  @Test(
    "an invalid option is refused, without a secret in the message",
    arguments: [
      (["--webhook", "pager.lab/x"], "wants a URL that begins with http:// or https://"),
      (["--webhook", "ftp://pager.lab/x"], "wants a URL that begins with http:// or https://"),
      (["--webhook", "https://u:hunter2@pager.lab/x"], "takes no user and no password"),
      (["--webhook", "https://pager.lab/x,saga.stuk"], "knows no notice \"saga.stuk\"; did you mean saga.stuck?"),
      (["--webhook", "https://pager.lab/x,notice.test"], "knows no notice \"notice.test\""),
      (["--webhook", "https:///x"], "without a host"),
      (["--webhook", "http://169.254.169.254/x"], "leads to 169.254.169.254, an address of a cloud's metadata"),
      (["--webhook", "a b=https://pager.lab/x"], "\"a b\" is no name for a webhook"),
      (["--webhook", "https://pager.lab/a b"], "percent-encoded"),
      (
        ["--webhook", "https://pager.lab/a", "--webhook", "https://pager.lab/b"],
        "two webhooks are called \"pager.lab\""
      ),
      (["--webhook", "kafka=https://pager.lab/a"], "\"kafka\" is the name of the topic"),
      (["--notice-patience", "long"], "--notice-patience wants a time as 24h, not \"long\""),
      (["--notice-patience", "0s"], "--notice-patience wants a time"),
      (["--kafka-notices", "all"], "--kafka BROKERS doesn't say where it is"),
      (["--kafka", "a:1", "--kafka-notices", "saga.stuck,"], "knows no notice \"\""),
    ])
  func wrong(_ words: [String], _ what: String) {
    let said = refusal(words)
    #expect(said.contains(what), "\(said)")
    #expect(!said.contains("hunter2"))
  }

  @Test("a webhook without a secret, or with an invalid one, is refused")
  func secrets() {
    let words = ["--webhook", "https://pager.lab/x"]
    let missing = refusal(words, variables: [:])
    #expect(missing.contains("SAGA_WEBHOOK_SECRET") && missing.hasSuffix("[cli.configurationInvalid]"))
    let wrong = refusal(words, variables: ["SAGA_WEBHOOK_SECRET": "hunter2"])
    #expect(wrong.contains("the variable SAGA_WEBHOOK_SECRET, for the webhook \"pager.lab\""), "\(wrong)")
    #expect(wrong.hasSuffix("[webhook.secretInvalid]") && !wrong.contains("hunter2"))
  }

  @Test(
    "an invalid file is refused with the place of the error",
    arguments: [
      (#"{}"#, "is no array of webhooks"), (#"[1]"#, "has at [0] something that is no webhook"),
      (#"[{"url": "https://a"}]"#, "has no \"name\" at [0]"),
      (#"[{"name": "a", "url": "a"}]"#, "gives \"a\" no \"url\""),
      (#"[{"name": "a", "url": "https://a"}]"#, "either \"secretFile\" or \"secretEnv\""),
      (#"[{"name": "a", "url": "https://a", "secretFile": "x", "secretEnv": "y"}]"#, "either"),
      (#"[{"name": "a", "url": "https://a", "secretEnv": "NOT_SET"}]"#, "names the variable NOT_SET, which is not set"),
      (#"[{"name": "a", "url": "https://a", "secret": "hunter2"}]"#, "says \"secret\" at [0]"),
      (#"[{"name": "a", "url": "https://a", "secretEnv": "S", "types": "all"}]"#, "\"types\" that are no array"),
      (#"[{"name": "a", "url": "https://a", "secretEnv": "S", "types": []}]"#, "names no type of notice"),
      (#"[{"name": "a", "url": "https://a", "secretEnv": "S", "types": ["saga"]}]"#, "knows no notice \"saga\""),
    ])
  func wrongFile(_ content: String, _ what: String) throws {
    try file(content) { path in
      let said = refusal(["--webhooks", path], variables: ["S": Self.secret])
      #expect(said.contains(what) && said.contains(path), "\(said)")
      #expect(!said.contains("hunter2"))
    }
  }

  @Test("Kafka gets the notices that need a person, unless types are given")
  func kafka() throws {
    #expect(try parse("--kafka", "a:1").kafkaTypes == NoticeType.usual)
    #expect(try parse("--kafka", "a:1", "--kafka-notices", "all").kafkaTypes == NoticeType.all)
    #expect(try parse("--kafka", "a:1", "--kafka-notices", "none").kafkaTypes.isEmpty)
    #expect(try parse("--kafka", "a:1", "--kafka-notices", "saga.stuck").kafkaTypes == [.sagaStuck])
    let invocation = try Self.invocation(["--kafka", "127.0.0.1:1", "--kafka-topic", "notices=told"], [:])
    let client = HTTPClient()
    let all = try invocation.notices().destinations(
      kafka: try invocation.kafka(), client: client, environment: .fake(), log: .silent)
    #expect(all.map(\.name) == ["kafka"] && all.map(\.target) == ["told at 127.0.0.1:1"])
  }
}
