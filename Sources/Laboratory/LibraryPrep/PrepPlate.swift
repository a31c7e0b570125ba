import JSON
import Values

/// The plate of one stage of library preparation. A robot fills it from the plate of the stage before.
///
/// ```
/// absent ── make ──▶ made ── check bed ──▶ checked ── finish ──▶ finished
///   │                                         └── fail ──▶ failed
///   └─ undone before ──▶ undoneBefore ✗ make      discard: from any of these ──▶ discarded
/// ```
/// The robot starts when its bed is right. The robot of the PCR starts when the tags are spent. It is done after its time,
/// or when its end is reported.
struct PrepPlate: Aggregate {
  enum Status: String, Sendable, CaseIterable {
    case absent, undoneBefore, made, checked, finished, failed, discarded
  }

  struct Well: Sendable, Equatable {
    /// As `A07`.
    var name: String
    /// The barcode of the sample.
    var sample: String
    /// The barcode of the library that is made of it.
    var library: String
  }

  struct Content: Sendable, Equatable {
    var id: UniqueID
    var stage: PrepStage
    /// The plate of the stage before; nil for the first stage.
    var parent: UniqueID?
    var wells: [Well]
  }

  /// What was on the robot's bed when the robot found it right.
  struct Bed: Sendable, Equatable {
    var robot: String
    /// The barcode of the tag plate; only for the PCR.
    var tagPlate: String?
    var at: Timestamp
  }

  var status = Status.absent
  var content: Content?
  var bed: Bed?
  /// What the robot said when it failed.
  var error: String?

  static let absent = PrepPlate()
  static let name = "prepPlate"
}

extension PrepPlate {
  enum Command: Sendable {
    case make(Content)
    case checkBed(Bed)
    case finish
    case fail(error: String)
    case discard
  }

  static func decide(_ command: Command, _ plate: PrepPlate) throws(LabRefusal) -> [PrepPlateEvent] {
    switch command {
    case .make(let content):
      switch plate.status {
      case .absent: return [.made(content)]
      case .undoneBefore: throw .undoneBefore("Plate \(content.id) was undone before it was made.")
      case .made, .checked, .finished, .failed: throw .exists("plate")
      case .discarded: throw .gone("Plate \(content.id) was discarded; a new one needs a new id.")
      }
    case .checkBed(let bed):
      let content = try plate.present()
      guard plate.status == .made else {
        throw wrongState("The bed of plate \(content.id) is already checked.")
      }
      guard (content.stage == .pcr) == (bed.tagPlate != nil) else {
        let fault = content.stage == .pcr ? "The bed has no tag plate" : "The bed has a tag plate"
        throw bedWrong("\(fault), and the stage is \(content.stage.rawValue).")
      }
      return [.bedChecked(bed)]
    case .finish:
      try plate.requireChecked()
      return [.finished]
    case .fail(let error):
      try plate.requireChecked()
      return [.failed(error: error)]
    case .discard:
      _ = try plate.present()
      return [.discarded]
    }
  }

  static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.prepPlateState, status: 409, message)
  }

  static func bedWrong(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.bedWrong, status: 409, message)
  }

  /// Returns the content of a plate that can be used.
  func present() throws(LabRefusal) -> Content {
    switch status {
    case .undoneBefore: throw .gone("The plate was undone before it was made.")
    case .discarded: throw .gone("The plate is discarded.")
    case .absent, .made, .checked, .finished, .failed: break
    }
    guard let content else { throw .missing("plate") }
    return content
  }

  private func requireChecked() throws(LabRefusal) {
    let content = try present()
    guard status == .checked else {
      throw Self.wrongState("Plate \(content.id) is not on a robot: it is \(status.rawValue).")
    }
  }

  static func evolve(_ plate: PrepPlate, _ event: PrepPlateEvent) -> PrepPlate {
    var plate = plate
    switch event {
    case .made(let content):
      plate.status = .made
      plate.content = content
    case .undoneBefore: plate.status = .undoneBefore
    case .bedChecked(let bed):
      plate.status = .checked
      plate.bed = bed
    case .finished: plate.status = .finished
    case .failed(let error):
      plate.status = .failed
      plate.error = error
    case .discarded: plate.status = .discarded
    case .undoNoted: break
    }
    return plate
  }

  /// The form in which a plate is shown, without the progress of its robot.
  var json: JSON {
    guard let content else { return ["status": .string(status.rawValue)] }
    var json = content.json
    for (name, value) in bed?.json ?? [:] { json[name] = value }
    if let error { json["error"] = .string(error) }
    json["status"] = .string(status.rawValue)
    return .object(json)
  }
}

extension PrepPlate {
  /// How far the robot is.
  enum Progress: String, Sendable { case waiting, running, done }

  /// Returns how far the robot of a checked or finished plate is; nil for any other plate.
  /// - Parameters:
  ///   - tags: the tag plate on the bed; only for the PCR.
  ///   - time: how long the robot takes.
  func progress(at now: Timestamp, time: Duration, tags: TagPlate?) -> Progress? {
    if status == .finished { return .done }
    guard status == .checked, let content, let bed else { return nil }
    var start = bed.at
    if content.stage == .pcr {
      guard let use = tags?.use, use.plateID == content.id else { return .waiting }
      start = use.at
    }
    return start + time <= now ? .done : .running
  }

  /// Returns the form in which a plate is shown.
  func json(showing progress: Progress?) -> JSON {
    guard let progress, progress != .waiting, case .object(var json) = self.json else { return self.json }
    json["status"] = .string(progress.rawValue)
    return .object(json)
  }
}

extension PrepPlate.Well {
  fileprivate var json: JSON { ["well": .string(name), "sample": .string(sample), "library": .string(library)] }
}

extension PrepPlate.Content {
  fileprivate var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("stage", .string(stage.rawValue)), ("parent", .text(parent)),
      ("wells", .array(wells.map(\.json)))
    ).objectValue ?? [:]
  }
}

extension PrepPlate.Bed {
  fileprivate var json: JSONObject {
    JSON.members(("robot", .string(robot)), ("tagPlate", .text(tagPlate)), ("checkedAt", .text(at))).objectValue ?? [:]
  }
}

/// An event of the plate of a stage.
enum PrepPlateEvent: CreatingEvent {
  case made(PrepPlate.Content)
  case undoneBefore
  case bedChecked(PrepPlate.Bed)
  case finished
  case failed(error: String)
  case discarded
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .made: "prepPlate.made"
    case .undoneBefore: "prepPlate.undoneBefore"
    case .bedChecked: "prepPlate.bedChecked"
    case .finished: "prepPlate.finished"
    case .failed: "prepPlate.failed"
    case .discarded: "prepPlate.discarded"
    case .undoNoted: "prepPlate.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .made(let content): .object(content.json)
    case .bedChecked(let bed): .object(bed.json)
    case .undoneBefore, .finished, .discarded: [:]
    case .failed(let error): ["error": .string(error)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "prepPlate.made":
      let wells = try members.required("wells", "a list of wells") { wells in
        wells.elements { well -> PrepPlate.Well? in
          guard let name = well["well"]?.stringValue, let sample = well["sample"]?.stringValue,
            let library = well["library"]?.stringValue
          else { return nil }
          return PrepPlate.Well(name: name, sample: sample, library: library)
        }
      }
      self = .made(
        PrepPlate.Content(
          id: try members.id("id"), stage: try members.word("stage"),
          parent: try members.optional("parent", "an id") { $0.stringValue.flatMap { UniqueID($0) } }, wells: wells))
    case "prepPlate.undoneBefore": self = .undoneBefore
    case "prepPlate.bedChecked":
      self = .bedChecked(
        PrepPlate.Bed(
          robot: try members.string("robot"), tagPlate: members.optionalText("tagPlate"),
          at: try members.timestamp("checkedAt")))
    case "prepPlate.finished": self = .finished
    case "prepPlate.failed": self = .failed(error: try members.string("error"))
    case "prepPlate.discarded": self = .discarded
    case "prepPlate.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
