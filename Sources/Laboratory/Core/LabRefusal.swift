import Values

/// A participant's refusal: the command had no effect, and a repeat is decided again.
public struct LabRefusal: CodedError, Hashable {
  public let code: String
  public let message: String
  /// The HTTP status of the refusal.
  public let status: Int
  /// The members of the body that are wrong; empty when the refusal isn't about the body.
  public let places: [Place]

  /// One member of a command's body, and its error.
  public struct Place: Sendable, Hashable {
    /// A JSON pointer (RFC 6901) into the body.
    public let pointer: String
    public let message: String

    public init(pointer: String, message: String) {
      self.pointer = pointer
      self.message = message
    }
  }

  public init(_ code: String, status: Int, _ message: String, places: [Place] = []) {
    self.code = code
    self.message = message
    self.status = status
    self.places = places
  }
}

extension LabRefusal {
  static func unknown(_ what: String, _ id: String) -> LabRefusal {
    LabRefusal(LabErrorCode.unknown, status: 404, "There is no \(what) \(id).")
  }

  static func missing(_ what: String) -> LabRefusal {
    LabRefusal(LabErrorCode.unknown, status: 404, "The \(what) does not exist.")
  }

  static func gone(_ message: String) -> LabRefusal { LabRefusal(LabErrorCode.gone, status: 410, message) }

  static func undoneBefore(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.undoneBefore, status: 410, message)
  }

  static func exists(_ what: String) -> LabRefusal {
    LabRefusal(LabErrorCode.exists, status: 409, "Another \(what) already has this id.")
  }

  static func conflict(_ message: String) -> LabRefusal { LabRefusal(LabErrorCode.conflict, status: 409, message) }

  static func invalid(_ places: [Place]) -> LabRefusal {
    let first = places.first.map { "\($0.pointer): \($0.message)" } ?? "The body breaks a rule."
    return LabRefusal(LabErrorCode.invalid, status: 422, first, places: places)
  }
}
