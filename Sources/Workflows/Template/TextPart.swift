import JSON

/// A part of a string that may contain `${…}`.
enum TextPart: Sendable {
  case literal(String)
  case expression(Expression)
}

extension TextPart {
  /// Splits a string into parts. `$${` is an escape for a plain `${`.
  static func parts(of text: String) throws(TemplateError) -> [TextPart] {
    let scalars = Array(text.unicodeScalars)
    var parts: [TextPart] = []
    var literal = String.UnicodeScalarView()
    var position = 0
    func starts(_ signs: String) -> Bool { scalars[position...].starts(with: signs.unicodeScalars) }
    while position < scalars.count {
      if starts("$${") {
        literal.append(contentsOf: "${".unicodeScalars)
        position += 3
      } else if starts("${") {
        if !literal.isEmpty { parts.append(.literal(String(literal))) }
        literal = String.UnicodeScalarView()
        guard let end = closingBrace(in: scalars, from: position + 2) else {
          throw TemplateError(
            code: WorkflowErrorCode.templateUnclosed,
            message: "this ${ has no closing } (a plain ${ is written $${)", pointer: .root, offset: position)
        }
        parts.append(.expression(try expression(in: scalars, from: position + 2, to: end)))
        position = end + 1
      } else {
        literal.append(scalars[position])
        position += 1
      }
    }
    if !literal.isEmpty || parts.isEmpty { parts.append(.literal(String(literal))) }
    for case .expression(let expression) in parts where expression.mayBeLeftOut && parts.count > 1 {
      throw TemplateError(
        code: JSONPathErrorCode.type,
        message: "?? nothing leaves a whole member out, so no other text may be beside it; write ?? '' for no text",
        pointer: .root, offset: expression.offset)
    }
    return parts
  }

  /// Returns the first `}` outside quotes that does not close a brace opened inside the query.
  private static func closingBrace(in scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var quote: Unicode.Scalar?
    var nesting = 0
    var position = start
    while position < scalars.count {
      let scalar = scalars[position]
      if let open = quote {
        if scalar == "\\" { position += 1 } else if scalar == open { quote = nil }
      } else {
        switch scalar {
        case "'", "\"": quote = scalar
        case "{": nesting += 1
        case "}" where nesting == 0: return position
        case "}": nesting -= 1
        default: break
        }
      }
      position += 1
    }
    return nil
  }

  private static func expression(
    in scalars: [Unicode.Scalar], from start: Int, to end: Int
  ) throws(TemplateError) -> Expression {
    var start = start
    var last = end
    func isBlank(_ scalar: Unicode.Scalar) -> Bool {
      scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r"
    }
    while start < last, isBlank(scalars[start]) { start += 1 }
    while last > start, isBlank(scalars[last - 1]) { last -= 1 }
    guard start < last else {
      throw TemplateError(
        code: WorkflowErrorCode.templateEmpty, message: "${} holds no query: write one, as ${input.barcode}",
        pointer: .root, offset: start)
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars[start..<last])
    let text = String(view)
    do {
      return try Expression(text, offset: start)
    } catch {
      throw TemplateError(
        code: error.code, message: error.message, pointer: .root, offset: min(start + error.at, end))
    }
  }
}
