import JSON
import Values

/// A kit of reagents for one run. It is thawed once.
///
/// ```
/// absent ── take ──▶ taken ── thaw ──▶ thawed ── write off ──▶ writtenOff
///   │                  └── return ──▶ returned
///   └─ undone before ──▶ undoneBefore ✗ take
/// ```
struct ReagentKit: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, taken, thawed, writtenOff, returned }

  struct Content: Sendable, Equatable {
    var id: UniqueID
    var lot: String
    /// The last day on which the kit may be used, as `2026-12-31`.
    var expiresOn: String
  }

  var status = Status.absent
  var content: Content?

  static let absent = ReagentKit()
  static let name = "kit"

  enum Command: Sendable {
    /// - at: the time of the command. An expired kit isn't taken.
    case take(Content, at: Timestamp)
    case giveBack
    case thaw(at: Timestamp)
    case writeOff
  }

  static func decide(_ command: Command, _ kit: ReagentKit) throws(LabRefusal) -> [KitEvent] {
    switch command {
    case .take(let content, let time):
      switch kit.status {
      case .absent: break
      case .undoneBefore: throw .undoneBefore("Kit \(content.id) was undone before it was taken.")
      case .taken, .thawed: throw .exists(name)
      case .writtenOff, .returned:
        throw .gone("Kit \(content.id) is \(kit.status.rawValue); another one needs a new id.")
      }
      try content.requireUsable(at: time)
      return [.taken(content)]
    case .giveBack:
      _ = try kit.present()
      guard kit.status == .taken else {
        throw LabRefusal(
          LabErrorCode.kitState, status: 409, "The kit is thawed; it can't be returned, only written off.")
      }
      return [.returned]
    case .thaw(let time):
      let content = try kit.present()
      guard kit.status == .taken else {
        throw LabRefusal(LabErrorCode.kitState, status: 409, "The kit is already thawed.")
      }
      try content.requireUsable(at: time)
      return [.thawed(at: time)]
    case .writeOff:
      _ = try kit.present()
      guard kit.status == .thawed else { throw .gone("The kit isn't thawed, so there is nothing to write off.") }
      return [.writtenOff]
    }
  }

  private func present() throws(LabRefusal) -> Content {
    switch status {
    case .undoneBefore: throw .gone("The kit was undone before it was taken.")
    case .writtenOff, .returned: throw .gone("The kit is \(status.rawValue).")
    case .absent, .taken, .thawed: break
    }
    guard let content else { throw .missing("kit") }
    return content
  }

  static func evolve(_ kit: ReagentKit, _ event: KitEvent) -> ReagentKit {
    var kit = kit
    switch event {
    case .taken(let content):
      kit.status = .taken
      kit.content = content
    case .undoneBefore: kit.status = .undoneBefore
    case .thawed: kit.status = .thawed
    case .writtenOff: kit.status = .writtenOff
    case .returned: kit.status = .returned
    case .undoNoted: break
    }
    return kit
  }

  /// The form in which a kit is shown.
  var json: JSON {
    .members(
      ("id", .text(content?.id)), ("lot", .text(content?.lot)), ("expiresOn", .text(content?.expiresOn)),
      ("status", .string(status.rawValue)))
  }
}

extension ReagentKit.Content {
  fileprivate func requireUsable(at time: Timestamp) throws(LabRefusal) {
    guard let day = LastDay(expiresOn), !day.hasPassed(at: time) else {
      throw LabRefusal(
        LabErrorCode.kitExpired, status: 422, "Lot \(lot) expired on \(expiresOn).",
        places: [LabRefusal.Place(pointer: "/expiresOn", message: "has passed")])
    }
  }
}

/// An event of a kit.
enum KitEvent: CreatingEvent {
  case taken(ReagentKit.Content)
  case undoneBefore
  case thawed(at: Timestamp)
  case writtenOff
  case returned
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .taken: "kit.taken"
    case .undoneBefore: "kit.undoneBefore"
    case .thawed: "kit.thawed"
    case .writtenOff: "kit.writtenOff"
    case .returned: "kit.returned"
    case .undoNoted: "kit.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .taken(let content):
      .members(("id", .text(content.id)), ("lot", .string(content.lot)), ("expiresOn", .string(content.expiresOn)))
    case .undoneBefore, .writtenOff, .returned: [:]
    case .thawed(let time): ["at": .string(time.description)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "kit.taken":
      self = .taken(
        ReagentKit.Content(
          id: try members.id("id"), lot: try members.string("lot"), expiresOn: try members.string("expiresOn")))
    case "kit.undoneBefore": self = .undoneBefore
    case "kit.thawed":
      guard let time = members.optionalTime("at") else { throw UnreadableEvent(type: type, missing: "at") }
      self = .thawed(at: time)
    case "kit.writtenOff": self = .writtenOff
    case "kit.returned": self = .returned
    case "kit.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
