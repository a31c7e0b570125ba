import JSON
import Values

/// The participants, each with its own commands and its own memory of idempotency keys.
public enum LabService: String, Sendable, CaseIterable {
  case samples, storage, sequencing, notification

  /// The names of its commands, as faults name them.
  public var commands: [String] {
    switch self {
    case .samples: ["create", "validate", "revertValidation", "aliquot", "voidAliquot", "void"]
    case .storage: ["allocate", "store", "move", "remove", "release"]
    case .sequencing:
      [
        "schedule", "bookLane", "releaseLane", "load", "unload", "start", "recordEvent", "complete", "cancel",
      ]
    case .notification: ["send", "correct"]
    }
  }
}

/// A command as it came in: who wants it, under which key, and a digest that tells another command apart.
struct CommandCall: Sendable {
  let service: LabService
  /// The Idempotency-Key.
  let key: String
  /// The key of the command that this one undoes.
  var compensates: String?
  /// Of the method, the path and the body, as it is or would be sent over HTTP.
  let digest: String
  var userID: String
  var tenantID: String
  /// The saga.
  var correlationID: String?

  /// - Parameters:
  ///   - userID: nil: a saga's own command, or nobody's.
  ///   - tenantID: nil: the only tenant.
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

  /// What a header says, if it can be kept and sent on as it is.
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

  /// In which scope the keys of the service are claimed.
  var scope: String { "command.\(service.rawValue)" }

  /// What every event of the command carries.
  /// - Parameter subject: the id of the aggregate, as clients know it: the stream's own id is made of it, and doesn't
  ///   give it back.
  func meta(subject: UniqueID) -> JSON {
    .members(
      ("userId", .string(userID)), ("tenantId", .string(tenantID)), ("correlationId", .text(correlationID)),
      ("causationId", .string(key)), ("compensates", .text(compensates)), ("subject", .text(subject)))
  }
}

/// What a command that took effect answers, now and whenever its key comes again.
struct Answer: Sendable, Equatable {
  var status: Int
  var body: JSON
}

/// What the laboratory keeps under an idempotency key, in the transaction of the command's events.
enum Remembered: Sendable, Equatable {
  case answered(Answer, digest: String)
  /// The command's undo came first: the command is refused for ever.
  case undoneBefore

  var bytes: [UInt8] {
    switch self {
    case .answered(let answer, let digest):
      JSON.members(("digest", .string(digest)), ("status", .int(answer.status)), ("body", answer.body)).bytes()
    case .undoneBefore: JSON.members(("undoneBefore", true)).bytes()
    }
  }

  /// - Returns: nil when the bytes are none that `bytes` gave.
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
