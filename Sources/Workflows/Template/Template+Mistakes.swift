import JSON

extension Template {
  /// Returns every mistake in the strings of a value. `init` stops at the first one.
  package static func mistakes(in json: JSON) -> [TemplateError] {
    var mistakes: [TemplateError] = []
    walk(json, at: .root, depth: 0) { pointer, result in
      if case .failure(let error) = result {
        mistakes.append(
          TemplateError(code: error.code, message: error.message, pointer: pointer, offset: error.offset))
      }
    }
    return mistakes
  }

  /// Returns every expression that is valid.
  package static func expressions(in json: JSON) -> [(pointer: JSONPointer, expression: Expression)] {
    var expressions: [(pointer: JSONPointer, expression: Expression)] = []
    walk(json, at: .root, depth: 0) { pointer, result in
      guard case .success(let parts) = result else { return }
      for case .expression(let expression) in parts { expressions.append((pointer, expression)) }
    }
    return expressions
  }

  private static func walk(
    _ json: JSON, at pointer: JSONPointer, depth: Int,
    _ visit: (JSONPointer, Result<[TextPart], TemplateError>) -> Void
  ) {
    guard depth <= maxDepth else { return visit(pointer, .failure(.tooDeep(at: pointer))) }
    switch json {
    case .null, .bool, .number: break
    case .string(let text):
      do throws(TemplateError) {
        visit(pointer, .success(try TextPart.parts(of: text)))
      } catch {
        visit(pointer, .failure(error))
      }
    case .array(let values):
      for (index, value) in values.enumerated() { walk(value, at: pointer.appending(index), depth: depth + 1, visit) }
    case .object(let members):
      for (name, value) in members { walk(value, at: pointer.appending(name), depth: depth + 1, visit) }
    }
  }
}

extension TemplateError {
  static func tooDeep(at pointer: JSONPointer) -> TemplateError {
    TemplateError(
      code: WorkflowErrorCode.templateTooDeep, message: "this nests deeper than \(Template.maxDepth) levels",
      pointer: pointer, offset: 0)
  }
}
