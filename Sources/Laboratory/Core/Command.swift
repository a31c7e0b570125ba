import JSON
import Values

/// The participants. Each has its own commands and its own idempotency keys.
public enum LabService: String, Sendable, CaseIterable {
  case samples, storage, sequencing, notification, accession, qc, pipeline
  case libraryPrep = "library-prep"
  case pooling

  /// The names of its commands, as faults use them.
  public var commands: [String] {
    switch self {
    case .samples:
      ["create", "validate", "revertValidation", "aliquot", "voidAliquot", "printLabel", "voidLabel", "void"]
    case .storage: ["allocate", "store", "move", "remove", "release"]
    case .sequencing:
      [
        "schedule", "bookLane", "releaseLane", "load", "unload", "start", "recordEvent", "complete", "cancel",
        "takeKit",
        "returnKit", "thawKit", "writeOffKit", "receiveFlowCell", "discardFlowCell", "useFlowCell", "reserveLanes",
        "releaseLanes",
      ]
    case .notification: ["send", "correct"]
    case .accession: ["request"]
    case .qc:
      [
        "reserveWells", "releaseWells", "bookMeasurement", "cancelMeasurement", "recordMeasurement", "evaluate",
        "withdrawDecision", "answer", "recordDecision",
      ]
    case .pipeline: ["startJob", "deleteJob", "reportJob", "copyFile", "deleteCopy", "deliver"]
    case .libraryPrep:
      [
        "receiveLot", "discardLot", "reserveLot", "releaseLot", "consumeLot", "receiveTagPlate", "discardTagPlate",
        "reserveTagPlate", "releaseTagPlate", "consumeTagPlate", "makePlate", "discardPlate", "checkBed", "reportRobot",
        "startLibrary", "cancelLibrary", "makeLibrary", "bookLibraryQC", "recordLibraryQC",
      ]
    case .pooling:
      [
        "receiveLibrary", "discardLibrary", "lockLibrary", "unlockLibrary", "diluteLibrary", "discardDilution",
        "openPool", "dissolvePool", "checkIndexes", "mixPool", "recordQPCR", "writeSampleSheet",
      ]
    }
  }
}

/// A command's caller, its idempotency key, and a digest that distinguishes it from other commands.
struct CommandCall: Sendable {
  let service: LabService
  /// The Idempotency-Key.
  let key: String
  /// The key of the command that this one undoes.
  var compensates: String?
  /// A digest of the method, the path and the body that the command has over HTTP.
  let digest: String
  var userID: String
  var tenantID: String
  /// The saga's id; nil when the command belongs to no saga.
  var correlationID: String?

  /// - Parameters:
  ///   - userID: the user; nil becomes "saga" with a correlation id, and "anonymous" without.
  ///   - tenantID: the tenant; nil becomes "default".
  init(
    service: LabService, key: String, compensates: String? = nil, digest: String, userID: String?, tenantID: String?,
    correlationID: String? = nil
  ) {
    self.service = service
    self.key = key
    self.compensates = compensates
    self.digest = digest
    self.userID = userID ?? (correlationID == nil ? "anonymous" : "saga")
    self.tenantID = tenantID ?? "default"
    self.correlationID = correlationID
  }

  static func digest(method: String, path: String, body: JSON?) -> String {
    Digest.hex(Array(("\(method)\n\(path)\n" + (body?.text(.canonical) ?? "")).utf8))
  }

  /// Returns a header's value if it is printable ASCII.
  static func checked(_ name: String, _ value: String) throws(LabRefusal) -> String {
    guard (1...255).contains(value.utf8.count), value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
      value.utf8.first != 0x20, value.utf8.last != 0x20
    else {
      throw LabRefusal(
        LabErrorCode.keyInvalid, status: 400,
        "The header \(name) must be 1 to 255 printable ASCII characters, with no blank at either end.")
    }
    return value
  }

  /// The scope in which the service's keys are claimed.
  var scope: String { "command.\(service.rawValue)" }

  /// Returns the meta data of the command's events.
  /// - Parameter subject: the aggregate's id as clients know it. The stream's id is derived from it and doesn't contain it.
  func meta(subject: UniqueID) -> JSON {
    .members(
      ("userId", .string(userID)), ("tenantId", .string(tenantID)), ("correlationId", .text(correlationID)),
      ("causationId", .string(key)), ("compensates", .text(compensates)), ("subject", .text(subject)))
  }
}

/// The answer of a command that took effect. A repeat with the same key gets it again.
struct Answer: Sendable, Equatable {
  var status: Int
  var body: JSON
}

/// The record of an idempotency key, stored in the transaction of the command's events.
enum Remembered: Sendable, Equatable {
  case answered(Answer, digest: String)
  /// The command's undo came first, so the command is always refused.
  case undoneBefore

  var bytes: [UInt8] {
    switch self {
    case .answered(let answer, let digest):
      JSON.members(("digest", .string(digest)), ("status", .int(answer.status)), ("body", answer.body)).bytes()
    case .undoneBefore: JSON.members(("undoneBefore", true)).bytes()
    }
  }

  /// - Returns: nil when the bytes were not made by `bytes`.
  init?(_ bytes: [UInt8]?) {
    guard let bytes, let json = try? JSON(parsing: bytes) else { return nil }
    if json["undoneBefore"]?.boolValue == true {
      self = .undoneBefore
    } else if let digest = json["digest"]?.stringValue, let status = json["status"]?.intValue, let body = json["body"] {
      self = .answered(Answer(status: status, body: body), digest: digest)
    } else {
      return nil
    }
  }
}
