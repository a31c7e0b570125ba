import JSON
import Values

/// A string that may contain `${…}` and renders to text: a path, a header or a query parameter.
public struct TextTemplate: Sendable {
  /// The template as the file writes it.
  public let source: String
  let parts: [TextPart]

  /// The use of the rendered text, which decides how values are encoded.
  public enum Encoding: Sendable, Hashable {
    case none
    /// Percent-encodes each value as part of one path segment. No rendered segment may be `.` or `..`.
    case pathSegment
    /// Refuses a value with a line break or a NUL.
    case headerValue
  }

  public init(_ text: String) throws(TemplateError) {
    parts = try TextPart.parts(of: text)
    source = text
  }

  /// The queries that read the document, in order.
  public var referencedQueries: [ReferencedQuery] { expressions.flatMap(\.referencedQueries) }

  /// True when the whole text is one `${… ?? nothing}`.
  var mayBeLeftOut: Bool { expressions.contains(where: \.mayBeLeftOut) }

  /// The text, when it has no `${…}`; nil when it has one.
  var fixedText: String? {
    var text = ""
    for part in parts {
      guard case .literal(let literal) = part else { return nil }
      text += literal
    }
    return text
  }

  var expressions: [Expression] {
    parts.compactMap { if case .expression(let expression) = $0 { expression } else { nil } }
  }

  /// Returns the text with every `${…}` replaced by the value that it finds in the document.
  /// - Parameter meter: counts the work, together with other templates that use the same meter.
  /// - Returns: nil when the whole text is left out.
  public func render(
    in document: JSON, encoding: Encoding = .none, meter: Meter = Meter()
  ) throws(ExpressionError) -> String? {
    guard let text = try Self.join(parts, in: document, encoding: encoding, meter) else { return nil }
    switch encoding {
    case .none: break
    case .pathSegment:
      if let segment = PercentEncoding.dotSegment(in: text) {
        throw ExpressionError(
          code: WorkflowErrorCode.expressionNotSegment,
          message: "the path comes out as \(text.prefix(200)), and its segment \(segment) would lead elsewhere",
          query: source)
      }
    case .headerValue:
      if text.unicodeScalars.contains(where: { $0 == "\r" || $0 == "\n" || $0 == "\0" }) {
        throw ExpressionError(
          code: WorkflowErrorCode.expressionNotHeader,
          message: "the header's value comes out with a line break or a NUL", query: source)
      }
    }
    return text
  }

  /// Returns the text as `render` does. The checker refuses a text that may be left out where one is needed, so a
  /// missing text is an error here.
  public func renderRequired(
    in document: JSON, encoding: Encoding = .none, meter: Meter = Meter()
  ) throws(ExpressionError) -> String {
    if let text = try render(in: document, encoding: encoding, meter: meter) { return text }
    throw ExpressionError(
      code: WorkflowErrorCode.expressionEmpty, message: "\(source) has no value, and one is needed here", query: source)
  }

  static func join(
    _ parts: [TextPart], in document: JSON, encoding: Encoding, _ meter: Meter
  ) throws(ExpressionError) -> String? {
    var result = ""
    for part in parts {
      switch part {
      case .literal(let text): result += text
      case .expression(let expression):
        guard let text = try expression.renderedText(in: document, meter) else { return nil }
        // The text is charged before it is copied.
        if !meter.put(text.utf8.count), let exceeded = meter.exceeded { throw expression.exceeded(exceeded) }
        guard encoding == .pathSegment else {
          result += text
          continue
        }
        // An empty segment would change /samples/ID/validation into another address.
        guard !text.isEmpty else {
          throw ExpressionError(
            code: WorkflowErrorCode.expressionNotSegment,
            message: "${\(expression.text)} finds an empty text, which can't be part of a path", query: expression.text)
        }
        result += PercentEncoding.segment(text)
      }
    }
    return result
  }
}

extension TextTemplate: Hashable {
  public static func == (left: TextTemplate, right: TextTemplate) -> Bool {
    left.source.hasSameScalars(as: right.source)
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(source)) }
}
