import JSON

/// Something that the checker found in a workflow file.
public struct Finding: Sendable, Hashable {
  public enum Severity: String, Sendable, Hashable {
    /// The workflow can't be registered.
    case error
    /// It can, but someone should look.
    case warning
  }

  public let severity: Severity
  /// One of `WorkflowErrorCode`, `JSONErrorCode` or the codes of a query.
  public let code: String
  /// One sentence for a person.
  public let message: String
  public let pointer: JSONPointer
  public let place: SourcePlace?
  public let file: String?
  /// The name that was probably meant.
  public let nearName: String?

  public init(
    severity: Severity, code: String, message: String, pointer: JSONPointer, place: SourcePlace?, file: String? = nil,
    nearName: String? = nil
  ) {
    self.severity = severity
    self.code = code
    self.message = message
    self.pointer = pointer
    self.place = place
    self.file = file
    self.nearName = nearName
  }

  /// As programs get it: `line`, `column`, `file` and `nearName` only where there is one.
  public var json: JSON {
    var members: JSONObject = [
      "severity": .string(severity.rawValue), "code": .string(code), "message": .string(message),
      "pointer": .string(pointer.shown),
    ]
    if let place {
      members["line"] = .int(place.line)
      members["column"] = .int(place.column)
    }
    if let file { members["file"] = .string(file) }
    if let nearName { members["nearName"] = .string(nearName) }
    return .object(members)
  }
}

extension Finding: CustomStringConvertible {
  /// One line that editors and terminals understand:
  /// `file:line:column: error: message (did you mean "x"?) [code] at /pointer`.
  public var description: String {
    var text = file.map { "\($0):" } ?? ""
    if let place { text += "\(place.line):\(place.column):" }
    if !text.isEmpty { text += " " }
    text += "\(severity.rawValue): \(message)"
    if let nearName { text += " (did you mean \"\(nearName)\"?)" }
    text += " [\(code)]"
    return pointer.tokens.isEmpty ? text : "\(text) at \(pointer.shown)"
  }
}

/// What came of checking a file.
public struct CheckResult: Sendable, Hashable {
  /// Nil when there is an error.
  public let definition: WorkflowDefinition?
  /// In the order of the file; the first hundred errors and the first hundred warnings that were found.
  public let findings: [Finding]
  /// The number of further findings.
  public let omitted: Int

  public init(definition: WorkflowDefinition?, findings: [Finding], omitted: Int = 0) {
    self.definition = definition
    self.findings = findings
    self.omitted = omitted
  }

  public var errors: [Finding] { findings.filter { $0.severity == .error } }
  public var warnings: [Finding] { findings.filter { $0.severity == .warning } }
}
