import Runtime

/// What a caller may do. A key has one role or several.
public enum Role: String, CaseIterable, Sendable {
  case viewer, starter, worker, `operator`, approver, author, admin

  /// The part of the engine to which the role can be limited; nil for a role that has no limit.
  public var limit: Limit? {
    switch self {
    case .starter: .workflows
    case .worker: .queues
    case .viewer, .operator, .approver, .author, .admin: nil
    }
  }

  /// What the names behind a role are names of.
  public enum Limit: Sendable {
    case workflows, queues

    /// The limit's name in the singular, for messages.
    public var name: String {
      switch self {
      case .workflows: "workflow"
      case .queues: "queue"
      }
    }
  }
}

/// What a route asks of its caller. The table of routes names one permission for each route (`RouteFacts.asks`), and
/// `roles` is the one table of who has it. `docs/security.md` prints both; a test compares them.
public enum Permission: String, CaseIterable, Sendable {
  /// The route asks nothing: it shows no data of the laboratory.
  case open
  /// Any caller that was recognised.
  case signedIn
  /// Read everything: lists, statistics, the audit, the live stream, metrics.
  case view
  /// Read one workflow, or one saga and what belongs to it.
  case read
  case start
  case signal
  /// Take tasks from a queue and answer them.
  case work
  /// Use the verbs of an operator, on one saga or many.
  case operate
  case approve
  /// Decline an operation that waits. The requester does that to withdraw it.
  case decline
  case author
  case administer

  /// The roles that have the permission.
  public var roles: Set<Role> {
    switch self {
    case .open, .signedIn: Set(Role.allCases)
    case .view: [.viewer, .operator, .approver, .author, .admin]
    case .read: [.viewer, .starter, .operator, .approver, .author, .admin]
    case .start: [.starter, .admin]
    case .signal: [.starter, .operator, .admin]
    case .work: [.worker, .admin]
    case .operate: [.operator, .admin]
    case .approve: [.approver, .admin]
    case .decline: [.operator, .approver, .admin]
    case .author: [.author, .admin]
    case .administer: [.admin]
    }
  }

  /// The permission as a message says it: “may not …”.
  var words: String {
    switch self {
    case .open, .signedIn: "sign in"
    case .view: "see everything"
    case .read: "see this"
    case .start: "start sagas"
    case .signal: "send signals"
    case .work: "take tasks"
    case .operate: "act on sagas"
    case .approve: "approve operations"
    case .decline: "decline operations"
    case .author: "register workflows"
    case .administer: "administer the engine"
    }
  }
}

/// A role as a key has it: `operator`, or `starter:library-prep,run-sequencer` with the workflows that it is limited to.
public struct GrantedRole: Sendable, Hashable, CustomStringConvertible {
  public let role: Role
  /// The names of the workflows or queues; empty for all.
  public let only: [String]

  public init(_ role: Role, only: [String] = []) {
    self.role = role
    self.only = only
  }

  /// The most names behind one role.
  private static let mostNames = 100

  /// Reads the text of a role. Returns nil for another word, for names behind a role that can't be limited, and for an
  /// empty name.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let role = Role(rawValue: String(parts[0])) else { return nil }
    guard parts.count == 2 else {
      self.init(role)
      return
    }
    let names = parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let areNames = names.allSatisfy { name in
      (1...200).contains(name.utf8.count) && name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
    }
    guard role.limit != nil, areNames, names.count <= Self.mostNames else { return nil }
    self.init(role, only: names)
  }

  public var description: String { only.isEmpty ? role.rawValue : "\(role.rawValue):\(only.joined(separator: ","))" }
}

/// How far a caller's permission reaches.
enum Reach: Hashable {
  case none
  /// Only these workflows or queues, by name.
  case only(Set<String>)
  case all

  init(_ permission: Permission, of roles: [GrantedRole]) {
    let giving = roles.filter { permission.roles.contains($0.role) }
    if giving.isEmpty {
      self = .none
    } else if giving.contains(where: { $0.only.isEmpty }) {
      self = .all
    } else {
      self = .only(Set(giving.flatMap(\.only)))
    }
  }
}

/// A role that people have in the laboratory, as `qa`. It gives no permission at the engine. A workflow names it in the
/// `roles` of a signal, which the engine takes only from a caller who has one of them.
public enum LabRole {
  /// The most roles of one caller.
  public static let most = 50

  /// Why a text can't be a role, as a predicate; nil when it can.
  public static func fault(in text: String) -> String? {
    text.utf8.count > 100 ? "has more than 100 bytes" : VisibleText.fault(in: text)
  }
}
