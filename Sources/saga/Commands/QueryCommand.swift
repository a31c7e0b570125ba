import JSON
import Workflows

let queryCommand = CommandSpec(
  "query", summary: "try a JSONPath expression on a JSON document",
  about: [
    "A workflow has queries (RFC 9535) in ${…} and conditions in `when`. Try both here before you write them into a "
      + "file. Prints the values that the query finds, one a line.",
    "With --batch it reads lines {\"selector\": …, \"document\": …} from standard input, and answers each, in order, "
      + "with a line {\"nodes\": […], \"paths\": […]} or {\"error\": {\"code\", \"message\", \"at\"}}.",
    "With --saga the document is the one that the expressions of a real saga read, from the engine. SELECTOR may then be "
      + "any expression that ${…} may have: input.volumeMl * 2.",
  ],
  operands: [
    OperandSpec("SELECTOR", .atMostOne, help: "the query, with its leading $"),
    OperandSpec("FILE", .atMostOne, help: "the document; - or none reads standard input"),
  ],
  options: [
    OptionSpec("when", value: "EXPR", help: "a condition instead of a query: prints true or false"),
    OptionSpec("paths", help: "print the path of each value, too"),
    OptionSpec(
      "saga", value: "ID",
      help: "read the document of this saga, or of WORKFLOW/KEY, from the engine, instead of a FILE"),
    OptionSpec("version", value: "N", help: "with --saga: the document as it was after event N"),
    .server,
    OptionSpec("json", help: "print {\"nodes\": […], \"paths\": […]}, or {\"value\": …}"),
    OptionSpec("batch", help: "answer many queries, a line each"),
  ],
  examples: [
    .init(says: "All barcodes of a manifest", line: "saga query '$.tubes[*].barcode' manifest.json"),
    .init(
      says: "Would this step be skipped?",
      line: "saga query --when \"$.input.priority == 'urgent'\" document.json"),
    .init(
      says: "What would this step of a real saga send?",
      line: "saga query --saga ID 'upper(steps.createSample.output.id)'"),
  ]
) { invocation in
  if let saga = invocation.arguments.value("saga") { return try await SagaTrial(saga, invocation).run() }
  if invocation.arguments.value("version") != nil { throw invocation.usage("--version goes with --saga ID") }
  if invocation.arguments.has("batch") {
    guard invocation.arguments.operands.isEmpty else {
      throw invocation.usage("--batch takes selectors and documents from standard input, not from the command line")
    }
    var lines = ByteLines(invocation.terminal.read)
    while let line = lines.next() { invocation.terminal.line(QueryBatch.oneLine(QueryBatch.answer(to: line))) }
    return .success
  }
  if let expression = invocation.arguments.value("when") { return try condition(expression, invocation) }
  return try query(invocation)
}

private func query(_ invocation: Invocation) throws -> ExitStatus {
  guard let selector = invocation.arguments.operand(0) else {
    throw invocation.usage("query wants SELECTOR, or --when EXPR, or --batch")
  }
  let path: JSONPath
  do {
    path = try JSONPath(selector)
  } catch {
    return complain(of: error, in: selector, invocation)
  }
  let document = try invocation.json(of: invocation.arguments.operand(1) ?? "-")
  let nodes: [JSONPath.Node]
  do {
    nodes = try QueryBatch.nodes(of: path, in: document)
  } catch {
    return complain(of: error, in: selector, invocation)
  }
  if invocation.json {
    invocation.terminal.line(QueryBatch.answer(nodes).text())
  } else {
    let paths = invocation.arguments.has("paths")
    invocation.terminal.write(
      nodes.map { (paths ? "\($0.path)\t" : "") + $0.value.text() + "\n" }.joined())
  }
  return .success
}

private func condition(_ expression: String, _ invocation: Invocation) throws -> ExitStatus {
  guard invocation.arguments.operands.count < 2 else { throw invocation.usage("--when EXPR takes one FILE") }
  let condition: JSONPathCondition
  do {
    condition = try JSONPathCondition(expression)
  } catch {
    return complain(of: error, in: expression, invocation)
  }
  let document = try invocation.json(of: invocation.arguments.operand(0) ?? "-")
  let holds: Bool
  do {
    holds = try condition.holds(in: document)
  } catch {
    return complain(of: JSONPathError(code: error.code, message: error.message, at: 0), in: expression, invocation)
  }
  invocation.terminal.line(invocation.json ? JSON.object(["holds": .bool(holds)]).text() : "\(holds)")
  return .success
}

/// The expression, and a caret under the place where it goes wrong.
func complain(of error: JSONPathError, in expression: String, _ invocation: Invocation) -> ExitStatus {
  if invocation.json {
    invocation.terminal.line(QueryBatch.refusal(error.code, error.message, at: error.at).text())
    return .failure
  }
  let style = invocation.terminal.errorStyle
  var lines = [style.colour("saga: ", .red) + "\(error.message) [\(error.code)]"]
  lines += Caret.lines(under: error.at, of: expression, number: nil, style: style)
  lines.append("  see `saga help \(error.code)`")
  invocation.terminal.complain(lines.joined(separator: "\n") + "\n")
  return .failure
}

/// Answers queries, one for each line.
enum QueryBatch {
  /// Returns an answer to every line, also to an invalid one.
  static func answer(to line: [UInt8]) -> JSON {
    let request: JSON
    do {
      request = try JSON(parsing: line)
    } catch {
      return refusal(error.code, error.message, at: error.offset)
    }
    guard let selector = request["selector"]?.stringValue else {
      return refusal(CLIErrorCode.lineInvalid, "a line is {\"selector\": \"$…\", \"document\": …}", at: 0)
    }
    let path: JSONPath
    do {
      path = try JSONPath(selector)
    } catch {
      return refusal(error.code, error.message, at: error.at)
    }
    guard let document = request["document"] else {
      return refusal(CLIErrorCode.lineInvalid, "the line has no member \"document\"", at: 0)
    }
    do {
      return answer(try nodes(of: path, in: document))
    } catch {
      return refusal(error.code, error.message, at: error.at)
    }
  }

  /// The most bytes that one query prints.
  private static let mostBytes = 64 << 20

  /// Returns the nodes that a query finds, within the limits for the search and the output.
  static func nodes(of path: JSONPath, in document: JSON) throws(JSONPathError) -> [JSONPath.Node] {
    do {
      let nodes = try path.nodes(in: document)
      let meter = Meter(Budget(steps: .max, bytes: mostBytes))
      for node in nodes where !meter.produce(node.value) { break }
      try meter.check()
      return nodes
    } catch {
      throw refusal(error)
    }
  }

  /// Returns the exceeded limit as an error of the whole expression.
  static func refusal(_ exceeded: BudgetExceeded) -> JSONPathError {
    JSONPathError(code: exceeded.code, message: exceeded.message, at: 0)
  }

  static func answer(_ nodes: [JSONPath.Node]) -> JSON {
    ["nodes": .array(nodes.map(\.value)), "paths": .array(nodes.map { .string("\($0.path)") })]
  }

  /// Returns text that is one line to every reader. Some readers end a line at other characters than a line feed, which
  /// JSON strings may contain.
  static func oneLine(_ json: JSON) -> String {
    let text = json.text()
    guard text.unicodeScalars.contains(where: { separators[$0] != nil }) else { return text }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if let escape = separators[scalar] {
        scalars.append(contentsOf: escape.unicodeScalars)
      } else {
        scalars.append(scalar)
      }
    }
    return String(scalars)
  }

  private static let separators: [Unicode.Scalar: String] = [
    "\u{85}": "\\u0085", "\u{2028}": "\\u2028", "\u{2029}": "\\u2029",
  ]

  static func refusal(_ code: String, _ message: String, at: Int) -> JSON {
    ["error": ["code": .string(code), "message": .string(message), "at": .int(at)]]
  }
}
