import JSON
import Values

/// A string that may hold `${…}` and renders to text: a path, a header, a query parameter.
public struct TextTemplate: Sendable {
  /// As the file writes it.
  public let source: String
  let parts: [TextPart]

  /// What the rendered text is for, and so how the values in it are written.
  public enum Encoding: Sendable, Hashable {
    case none
    /// Each value is percent-encoded as part of one path segment, and no segment may come out as `.` or `..`.
    case pathSegment
    /// A value with a line break or a NUL is refused.
    case headerValue
  }

  public init(_ text: String) throws(TemplateError) {
    parts = try TextPart.parts(of: text)
    source = text
  }

  /// Every query in it, in order.
  public var queries: [JSONPath] { expressions.map(\.path) }

  var expressions: [Expression] {
    parts.compactMap { if case .expression(let expression) = $0 { expression } else { nil } }
  }

  /// The text with every `${…}` replaced by what it finds in the document.
  /// - Parameter meter: counts the work, with that of other templates that belong to it.
  public func render(
    in document: JSON, encoding: Encoding = .none, meter: Meter = Meter()
  ) throws(ExpressionError) -> String {
    let text = try Self.join(parts, in: document, encoding: encoding, meter)
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

  static func join(
    _ parts: [TextPart], in document: JSON, encoding: Encoding, _ meter: Meter
  ) throws(ExpressionError) -> String {
    var result = ""
    for part in parts {
      switch part {
      case .literal(let text): result += text
      case .expression(let expression):
        let text = try expression.renderedText(in: document, meter)
        // Charged before it is copied.
        if !meter.put(text.utf8.count), let exceeded = meter.exceeded { throw expression.exceeded(exceeded) }
        guard encoding == .pathSegment else {
          result += text
          continue
        }
        // An empty segment would turn /samples/ID/validation into another address.
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
