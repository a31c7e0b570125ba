public import Messaging

extension LabKafka {
  /// The laboratory's topics.
  public struct Topics: Sendable, Hashable {
    /// The topic from which each service takes its commands.
    public var commands: [LabService: String]
    /// The topic of each service's events.
    public var events: [LabService: String]
    /// The topic of messages that can't be handled.
    public var deadLetter: String

    public init() {
      commands = Dictionary(
        uniqueKeysWithValues: LabService.allCases.map { ($0, "laboratory.\($0.rawValue).commands") })
      events = [
        .samples: "laboratory.sample.events", .storage: "laboratory.storage.events",
        .sequencing: "laboratory.sequencing.events", .notification: "laboratory.notification.events",
        .accession: "laboratory.accession.events", .qc: "laboratory.qc.events",
        .pipeline: "laboratory.pipeline.events", .libraryPrep: "laboratory.library-prep.events",
        .pooling: "laboratory.pooling.events",
      ]
      deadLetter = "laboratory.dead-letter"
    }

    /// The use of a topic: `samples.commands`, `storage.events`, `dead-letter`.
    public enum Role: Sendable, Hashable, CaseIterable, CustomStringConvertible {
      case commands(LabService)
      case events(LabService)
      case deadLetter

      public static let allCases: [Role] =
        LabService.allCases.map { .commands($0) } + LabService.allCases.map { .events($0) } + [.deadLetter]

      public init?(_ text: String) {
        guard let role = Self.allCases.first(where: { $0.description == text }) else { return nil }
        self = role
      }

      public var description: String {
        switch self {
        case .commands(let service): "\(service.rawValue).commands"
        case .events(let service): "\(service.rawValue).events"
        case .deadLetter: "dead-letter"
        }
      }
    }

    public subscript(role: Role) -> String {
      get {
        switch role {
        case .commands(let service): commands[service] ?? ""
        case .events(let service): events[service] ?? ""
        case .deadLetter: deadLetter
        }
      }
      set {
        switch role {
        case .commands(let service): commands[service] = newValue
        case .events(let service): events[service] = newValue
        case .deadLetter: deadLetter = newValue
        }
      }
    }

    /// - Throws: `kafka.configurationInvalid` when a name is not a topic's name, or is used twice.
    public func check() throws(KafkaError) {
      var roles: [String: Role] = [:]
      for role in Role.allCases {
        guard KafkaCommandEnvelope.isTopic(self[role]) else {
          throw KafkaError(
            code: MessagingErrorCode.configurationInvalid,
            message: "“\(self[role])” can't be the topic of \(role): it is not the name of a topic.")
        }
        if let other = roles.updateValue(role, forKey: self[role]) {
          throw KafkaError(
            code: MessagingErrorCode.configurationInvalid,
            message: "The topic \(self[role]) can't be that of \(other) and of \(role) at once.")
        }
      }
    }

    /// The names of all topics.
    var all: Set<String> { Set(Role.allCases.map { self[$0] }) }

    func service(ofCommands topic: String) -> LabService? { commands.first { $0.value == topic }?.key }
  }
}
