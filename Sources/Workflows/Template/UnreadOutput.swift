import JSON

/// A step's answer that was unreadable. The document has `steps.ID.outputError` instead of `steps.ID.output`.
struct UnreadOutput {
  let step: String
  let code: String
  let message: String

  /// - Parameter tokens: the names that a query follows from the root.
  /// - Returns: nil unless they lead into such an answer.
  init?(readBy tokens: [JSONPointer.Token], in document: JSON) {
    guard tokens.count > 2, tokens[0] == .name("steps"), case .name(let id) = tokens[1], tokens[2] == .name("output"),
      let error = document["steps"]?[id]?["outputError"], let code = error["code"]?.stringValue
    else { return nil }
    step = id
    self.code = code
    message = error["message"]?.stringValue ?? code
  }

  func error(of query: String) -> ExpressionError {
    ExpressionError(
      code: code, message: "\(query) reads what step \(step) answered, and that can't be read: \(message)", query: query
    )
  }
}

extension UnreadOutput {
  /// Returns why an expression has no value, or nil when it may have one. It has none when it reads inside an unreadable
  /// answer. An expression that tests whether an output exists at all, such as `$.steps.ID.output`, has a value: the
  /// output does not exist.
  static func obstacle(for queries: [ReferencedQuery], in document: JSON, of text: String? = nil) -> ExpressionError? {
    for query in queries {
      guard let output = UnreadOutput(readBy: query.leadingTokens, in: document) else { continue }
      let isTested = queries.contains {
        $0.isTest && $0.isSingular && $0.leadingTokens.elementsEqual(query.leadingTokens.prefix(3))
      }
      if !isTested { return output.error(of: text ?? query.text) }
    }
    return nil
  }
}

extension JSONPathCondition {
  /// Returns why the condition cannot be decided, or nil when it can.
  public func obstacle(in document: JSON) -> ExpressionError? {
    UnreadOutput.obstacle(for: referencedQueries, in: document)
  }
}
