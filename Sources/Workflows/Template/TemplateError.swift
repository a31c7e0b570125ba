import JSON

/// A template that can't be read.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
  public let code: String
  public let message: String
  /// The string with the mistake, from the template's own root.
  public let pointer: JSONPointer
  /// Where in that string the mistake is, in Unicode scalars.
  public let offset: Int

  public var description: String { "\(message) [\(code)]" }
}

/// A template that can't be rendered in this document.
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
