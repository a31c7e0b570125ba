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

extension JSONPathCondition {
  /// Returns why the condition cannot be decided, or nil when it can. It cannot be decided when it reads inside an
  /// unreadable answer. A condition that asks whether an output exists at all, such as `$.steps.ID.output`, can be
  /// decided: the output does not exist.
  public func obstacle(in document: JSON) -> ExpressionError? {
    for query in referencedQueries {
      guard let output = UnreadOutput(readBy: query.leadingTokens, in: document) else { continue }
      let asks = referencedQueries.contains {
        $0.isSingular && $0.leadingTokens.elementsEqual(query.leadingTokens.prefix(3))
      }
      if !asks { return output.error(of: query.text) }
    }
    return nil
  }
}
