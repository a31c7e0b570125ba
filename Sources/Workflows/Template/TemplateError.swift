import JSON

/// An error in the syntax of a template.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
  public let code: String
  public let message: String
  /// The path of the string with the mistake, from the template's own root.
  public let pointer: JSONPointer
  /// The place of the mistake in that string, in Unicode scalars.
  public let offset: Int

  public var description: String { "\(message) [\(code)]" }
}

/// An error of a template that cannot be rendered with this document.
public struct ExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
  public let code: String
  public let message: String
  /// The query as the file writes it.
  public let query: String

  public init(code: String, message: String, query: String) {
    self.code = code
    self.message = message
    self.query = query
  }

  public var description: String { "\(message) [\(code)]" }
}
