import JSON
import Server
import Wire
import Workflows

/// `saga query --saga ID`: an expression on the document of a real saga.
struct SagaTrial {
  private enum Parsed {
    /// A query of RFC 9535. It may find any number of values.
    case query(JSONPath)
    /// What a `${…}` may have. It has one value.
    case value(Expression)
    case condition(JSONPathCondition)
  }

  private let saga: String
  private let text: String
  private let isCondition: Bool
  private let invocation: Invocation

  init(_ saga: String, _ invocation: Invocation) throws(UsageError) {
    if invocation.arguments.has("batch") {
      throw invocation.usage("--batch has its documents in its lines, not in --saga")
    }
    let words = invocation.arguments.operands + (invocation.arguments.value("when").map { [$0] } ?? [])
    guard words.count == 1, let word = words.first else {
      throw invocation.usage("--saga ID wants one expression, or --when EXPR, and no FILE")
    }
    self.saga = saga
    self.invocation = invocation
    isCondition = invocation.arguments.value("when") != nil
    // An expression that was copied from a file may have its braces.
    let isWrapped = !isCondition && word.hasPrefix("${") && word.hasSuffix("}")
    text = isWrapped ? String(word.dropFirst(2).dropLast()) : word
  }

  func run() async throws -> ExitStatus {
    let expression: Parsed
    do {
      expression = try parsed()
    } catch {
      return complain(of: error, in: text, invocation)
    }
    if case .query = expression {
    } else if invocation.arguments.has("paths") {
      throw invocation.usage("--paths goes with a query, which begins with $")
    }
    let document = try await document()
    let (terminal, json) = (invocation.terminal, invocation.json)
    switch await computed({ Result { () throws(JSONPathError) in try Self.outcome(of: expression, in: document) } }) {
    case .success(.nodes(let nodes)):
      let paths = invocation.arguments.has("paths")
      if json {
        terminal.line(QueryBatch.answer(nodes).text())
      } else {
        terminal.write(nodes.map { (paths ? "\($0.path)\t" : "") + $0.value.text() + "\n" }.joined())
      }
    case .success(.value(let value)):
      terminal.line(json ? (["value": value] as JSON).text() : value.text())
    case .success(.leftOut):
      terminal.line(json ? (["leftOut": true] as JSON).text() : "(no value: the member is left out)")
    case .success(.holds(let holds)):
      terminal.line(json ? (["holds": .bool(holds)] as JSON).text() : "\(holds)")
    case .failure(let error):
      return complain(of: error, in: text, invocation)
    }
    return .success
  }

  private func parsed() throws(JSONPathError) -> Parsed {
    if isCondition { return .condition(try JSONPathCondition(text)) }
    if let path = try? JSONPath(text) { return .query(path) }
    return .value(try Expression(text))
  }

  private func document() async throws -> JSON {
    let version = try invocation.number("version").map { [(name: "version", value: "\($0)")] } ?? []
    let id = try await invocation.sagaID(named: saga)
    let answer: DocumentResponse = try await invocation.client.get(.getDocument, id, query: version).readUnchanged()
    return answer.json
  }

  private enum Outcome: Sendable {
    case nodes([JSONPath.Node])
    case value(JSON)
    case leftOut
    case holds(Bool)
  }

  /// Evaluates as the engine does: an answer that could not be read has no value.
  private static func outcome(of expression: Parsed, in document: JSON) throws(JSONPathError) -> Outcome {
    switch expression {
    case .query(let path): return .nodes(try QueryBatch.nodes(of: path, in: document))
    case .value(let expression):
      return try placed { () throws(ExpressionError) in
        try expression.value(in: document).map { .value($0) } ?? .leftOut
      }
    case .condition(let condition):
      return try placed { () throws(ExpressionError) in
        if let obstacle = condition.obstacle(in: document) { throw obstacle }
        return .holds(try condition.holds(in: document))
      }
    }
  }

  /// The error of an evaluation is one of the whole expression.
  private static func placed(_ body: () throws(ExpressionError) -> Outcome) throws(JSONPathError) -> Outcome {
    do throws(ExpressionError) {
      return try body()
    } catch {
      throw JSONPathError(code: error.code, message: error.message, at: 0)
    }
  }
}
