import HTTP
import KafkaGateway
import Laboratory
import Messaging
import Persistence
import Runtime
import WorkflowEngine

/// The settings for Kafka from the command line.
struct KafkaSettings: Sendable, Equatable {
  let cluster: KafkaCluster
  let topics: KafkaTopicNames
  /// The consumer group: processes of one group share the work.
  let group: String
  /// The participants that take their commands from topics.
  let services: [KafkaServiceEntry]
  /// The URL of a schema registry.
  let registry: String?
  /// The laboratory roles of everyone who writes to the topic of commands; empty for none.
  var labRoles: [String] = []

  /// The settings that a process prints when it starts: never a user, never a password.
  var shown: [(name: String, value: String)] {
    var lines = [("kafka", "\(cluster.brokers), echo to \(topics.events)")]
    if let registry { lines.append(("registry", Self.withoutUser(registry))) }
    return lines
  }

  /// Returns a URL without its user and password.
  static func withoutUser(_ url: String) -> String {
    guard let slashes = url.firstRange(of: "://"), let at = url.lastIndex(of: "@"), at >= slashes.upperBound else {
      return url
    }
    return url[..<slashes.upperBound] + "…" + url[at...]
  }
}

extension KafkaSettings {
  /// Returns the executor of `kafka` steps.
  func executor(clock: any WallClock, log: Log) throws(KafkaError) -> KafkaStepExecutor {
    try KafkaStepExecutor(
      cluster: cluster,
      services: services.map { KafkaService(name: $0.name, topic: $0.topic, keepsTombstones: $0.tombstones) },
      replyTopic: topics.replies, clock: clock, log: log)
  }

  /// Returns the engine's connection to Kafka.
  ///
  /// - Parameter recognisesCallers: whether the engine has keys or tokens. Then signals over Kafka have only the roles of
  ///   the settings, and without such roles none.
  func wire(
    recognisesCallers: Bool, _ engine: Engine, _ store: any EventStore, _ executor: KafkaStepExecutor,
    _ client: HTTPClient,
    _ environment: Runtime.Environment, _ log: Log
  ) throws -> EngineKafka {
    var configuration = EngineKafka.Configuration(
      cluster: cluster, events: KafkaTopic(topics.events), commands: KafkaTopic(topics.commands),
      replies: KafkaTopic(topics.replies), deadLetters: KafkaTopic(topics.deadLetters), group: group)
    configuration.labRoles = recognisesCallers || !labRoles.isEmpty ? labRoles : nil
    if let registry {
      configuration.framing = EngineKafka.Framing(
        try SchemaRegistry(url: registry, client: client, environment: environment, log: log), events: topics.events)
    }
    return try EngineKafka(
      engine: engine, store: store, executor: executor, configuration: configuration, environment: environment, log: log
    )
  }
}

/// The topics that the engine itself reads and writes.
struct KafkaTopicNames: Sendable, Equatable {
  /// The role of a topic, as `--kafka-topic` names it.
  enum Role: String, Sendable, CaseIterable {
    case events, commands, replies, notices
    case deadLetters = "dead-letter"
  }

  var events = "laboratory.saga.events"
  var commands = "saga.commands"
  var replies = "saga.replies"
  var notices = "saga.notices"
  var deadLetters = "laboratory.dead-letter"

  subscript(role: Role) -> String {
    get {
      switch role {
      case .events: events
      case .commands: commands
      case .replies: replies
      case .notices: notices
      case .deadLetters: deadLetters
      }
    }
    set {
      switch role {
      case .events: events = newValue
      case .commands: commands = newValue
      case .replies: replies = newValue
      case .notices: notices = newValue
      case .deadLetters: deadLetters = newValue
      }
    }
  }
}

/// A participant that takes its commands from a topic.
struct KafkaServiceEntry: Sendable, Equatable {
  /// The name in workflows.
  let name: String
  let topic: String
  /// Whether the participant refuses a late command after an early undo.
  let tombstones: Bool

  /// `NAME=TOPIC`, and `,tombstones` behind it.
  init?(_ text: String) {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else { return nil }
    var topic = String(text[text.index(after: equals)...])
    let mark = ",tombstones"
    let tombstones = topic.hasSuffix(mark)
    if tombstones { topic.removeLast(mark.count) }
    guard KafkaName.isTopic(topic) else { return nil }
    self.init(name: String(text[..<equals]), topic: topic, tombstones: tombstones)
  }

  init(name: String, topic: String, tombstones: Bool) {
    self.name = name
    self.topic = topic
    self.tombstones = tombstones
  }

  /// The laboratory's services, which all keep tombstones.
  static let laboratory = LabService.allCases.map {
    KafkaServiceEntry(name: $0.rawValue, topic: "laboratory.\($0.rawValue).commands", tombstones: true)
  }
}

/// The names that Kafka allows.
enum KafkaName {
  /// Letters, digits, `.`, `_` and `-`, at most 249.
  static func isTopic(_ name: String) -> Bool {
    let allowed = { (byte: UInt8) in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    return (1...249).contains(name.utf8.count) && name.utf8.allSatisfy(allowed) && name != "." && name != ".."
  }

  /// `host:port`, `[::1]:port`.
  static func isBroker(_ name: some StringProtocol) -> Bool {
    guard let colon = name.lastIndex(of: ":"), colon > name.startIndex,
      let port = Int(name[name.index(after: colon)...]), (1...65_535).contains(port)
    else { return false }
    let host = name[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    return host.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "/" && $0 != "@" }
      && (isBracketed || !host.contains(":"))
  }
}
