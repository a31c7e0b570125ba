import JSON
import Values

/// The copy of one file of a job in the folder of a customer. The customer sees it when it is delivered.
///
/// ```
/// absent ── copy ──▶ copied ── delete ──▶ deleted
///   └─ undone before ──▶ undoneBefore ✗ copy
/// ```
struct FileCopy: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, copied, deleted }

  struct Content: Sendable, Equatable {
    var id: UniqueID
    var jobID: UniqueID
    /// The name of the file.
    var file: String
    /// The customer's folder.
    var folder: String
  }

  var status = Status.absent
  var content: Content?

  static let absent = FileCopy()
  static let name = "copy"

  enum Command: Sendable {
    case copy(Content)
    case delete
  }

  static func decide(_ command: Command, _ copy: FileCopy) throws(LabRefusal) -> [CopyEvent] {
    switch command {
    case .copy(let content):
      switch copy.status {
      case .absent: return [.copied(content)]
      case .undoneBefore: throw .undoneBefore("Copy \(content.id) was undone before it was made.")
      case .copied: throw .exists(name)
      case .deleted: throw .gone("Copy \(content.id) was deleted; a new one needs a new id.")
      }
    case .delete:
      switch copy.status {
      case .absent: throw .missing("copy")
      case .undoneBefore: throw .gone("The copy was undone before it was made.")
      case .deleted: throw .gone("The copy is already deleted.")
      case .copied: return [.deleted]
      }
    }
  }

  static func evolve(_ copy: FileCopy, _ event: CopyEvent) -> FileCopy {
    var copy = copy
    switch event {
    case .copied(let content):
      copy.status = .copied
      copy.content = content
    case .undoneBefore: copy.status = .undoneBefore
    case .deleted: copy.status = .deleted
    case .undoNoted: break
    }
    return copy
  }

  /// The form in which a copy is shown.
  var json: JSON {
    var json = content?.json ?? [:]
    json["status"] = .string(status.rawValue)
    return .object(json)
  }
}

extension FileCopy.Content {
  fileprivate var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("jobId", .text(jobID)), ("file", .string(file)), ("folder", .string(folder))
    ).objectValue ?? [:]
  }
}

/// An event of a copy.
enum CopyEvent: CreatingEvent {
  case copied(FileCopy.Content)
  case undoneBefore
  case deleted
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .copied: "copy.copied"
    case .undoneBefore: "copy.undoneBefore"
    case .deleted: "copy.deleted"
    case .undoNoted: "copy.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .copied(let content): .object(content.json)
    case .undoneBefore, .deleted: [:]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "copy.copied":
      self = .copied(
        FileCopy.Content(
          id: try members.id("id"), jobID: try members.id("jobId"), file: try members.string("file"),
          folder: try members.string("folder")))
    case "copy.undoneBefore": self = .undoneBefore
    case "copy.deleted": self = .deleted
    case "copy.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
