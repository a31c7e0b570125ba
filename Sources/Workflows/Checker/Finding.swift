import JSON

/// Something that the checker found in a workflow file.
public struct Finding: Sendable, Hashable {
  public enum Severity: String, Sendable, Hashable {
    /// The workflow cannot be registered.
    case error
    /// The workflow can be registered, but an author should check it.
    case warning
  }

  public let severity: Severity
  /// The code: one of `WorkflowErrorCode`, `JSONErrorCode` or the codes of a query.
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

  /// The finding as JSON. `line`, `column`, `file` and `nearName` are left out when they are unknown.
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
  /// The finding as one line that editors and terminals understand:
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

/// The result of checking a file.
public struct CheckResult: Sendable, Hashable {
  /// The workflow; nil when there is an error.
  public let definition: WorkflowDefinition?
  /// The findings in the order of the file: at most the first 100 errors and the first 100 warnings.
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
