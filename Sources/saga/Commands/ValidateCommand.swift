import JSON
import JSONSchema
import Runtime
import Workflows

let validateCommand = CommandSpec(
  "validate", summary: "check JSON data against a JSON Schema",
  about: [
    "Checks data as the engine checks the input of a saga against its workflow's `inputSchema`: JSON Schema, draft "
      + "2020-12. Prints every violation with its line and column. A schema that can't be used is shown with its "
      + "mistakes. Exit status 1 when there are errors.",
    "With --batch it reads lines {\"schema\": …, \"data\": …} from standard input, and answers each, in order, with a line "
      + "{\"valid\": true, \"errors\": []} or {\"error\": {\"code\", \"message\"}}.",
  ],
  operands: [
    OperandSpec("SCHEMA", .atMostOne, help: "a JSON Schema, or a workflow that has an inputSchema"),
    OperandSpec("DATA", .atMostOne, help: "the data; - or none reads standard input"),
  ],
  options: [
    OptionSpec("json", help: "print {\"valid\": …, \"errors\": […]}"),
    OptionSpec("batch", help: "answer many pairs, a line each"),
  ],
  examples: [
    .init(says: "May this tube start the workflow?", line: "saga validate workflows/sample-processing.json tube.json"),
    .init(says: "Try a schema on standard input", line: "echo '{\"volumeUl\": 5}' | saga validate tube.schema.json"),
  ]
) { invocation in
  if invocation.arguments.has("batch") {
    guard invocation.arguments.operands.isEmpty else {
      throw invocation.usage("--batch takes schemas and data from standard input, not from the command line")
    }
    var lines = ByteLines(invocation.terminal.read)
    while let line = lines.next() {
      let answer = await computed { ValidationBatch.answer(to: line) }
      invocation.terminal.line(QueryBatch.oneLine(answer))
    }
    return .success
  }
  return try await validate(invocation)
}

private func validate(_ invocation: Invocation) async throws -> ExitStatus {
  guard let schemaFile = invocation.arguments.operand(0) else {
    throw invocation.usage("validate wants SCHEMA, or --batch")
  }
  let dataFile = invocation.arguments.operand(1) ?? "-"
  guard schemaFile != "-" || dataFile != "-" else {
    throw invocation.usage("standard input is either the schema or the data, not both")
  }
  let schema = try SourceFile(schemaFile, invocation)
  let data = try SourceFile(dataFile, invocation)
  let place = schema.schemaPlace
  guard let source = place.value(in: schema.document.root) else {
    throw invocation.usage("\(schema.name) is a workflow without \"inputSchema\"")
  }
  let value = data.document.root
  let (compilation, verdict) = await computed {
    () -> (SchemaCompilation, Result<SchemaVerdict, SchemaBudgetExceeded>?) in
    let compilation = JSONSchema.compile(source)
    return (compilation, compilation.schema.map { ValidationBatch.verdict(of: $0, on: value) })
  }
  let found = compilation.findings.map { schema.finding($0, in: place) }.sorted {
    ($0.place?.offset ?? 0) < ($1.place?.offset ?? 0)
  }
  guard let verdict else {
    return report(found, of: schema, violations: nil, more: compilation.omitted, invocation)
  }
  let result = try verdict.get()
  let violations = result.violations.map(data.finding)
  if !invocation.json { show(found, of: schema, invocation) }
  return report(violations, of: data, violations: result.violations, more: result.omitted, invocation)
}

/// Prints findings as `saga check` does, and how many there are.
private func report(
  _ findings: [Finding], of file: SourceFile, violations: [SchemaViolation]?, more: Int, _ invocation: Invocation
) -> ExitStatus {
  let errors = findings.count { $0.severity == .error }
  if invocation.json {
    invocation.terminal.line(
      ValidationBatch.answer(findings, violations: violations, more: more).text(.pretty))
  } else {
    show(findings, of: file, invocation)
    if more > 0 { invocation.terminal.line("\(file.name): and \(more) more") }
    invocation.terminal.line(
      errors == 0 ? "\(file.name) meets the schema" : "\(file.name): \(FileReport.count(errors + more, "error"))")
  }
  return errors > 0 ? .failure : .success
}

private func show(_ findings: [Finding], of file: SourceFile, _ invocation: Invocation) {
  let text = FindingText(style: invocation.style)
  for finding in findings {
    invocation.terminal.write(text.lines(of: finding, in: file.lines).map { $0 + "\n" }.joined())
  }
}

/// A JSON file with the places of its values.
private struct SourceFile {
  let name: String
  let document: JSONDocument
  let lines: [Substring]

  init(_ file: String, _ invocation: Invocation) throws {
    name = file == "-" ? "<stdin>" : file
    let bytes = try invocation.bytes(of: file)
    do {
      document = try JSONDocument(parsing: bytes)
    } catch {
      throw CLIError(
        CLIErrorCode.inputInvalid, "\(name):\(error.line):\(error.column): \(error.message) [\(error.code)]")
    }
    lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The place of the schema: a workflow has it in its member `inputSchema`.
  var schemaPlace: JSONPointer {
    document.root["steps"]?.arrayValue == nil ? .root : JSONPointer.root.appending("inputSchema")
  }

  /// - Parameter place: the place of the schema in the file.
  func finding(_ finding: SchemaFinding, in place: JSONPointer) -> Finding {
    let pointer = place.appending(finding.pointer)
    let isName = finding.spot == .name
    return Finding(
      severity: finding.isError ? .error : .warning, code: finding.code, message: finding.message, pointer: pointer,
      place: isName ? document.placeOfName(pointer) ?? document.place(of: pointer) : document.place(of: pointer),
      file: name, nearName: finding.nearName)
  }

  func finding(_ violation: SchemaViolation) -> Finding {
    Finding(
      severity: .error, code: SchemaErrorCode.violation, message: "\(violation.message) (\(violation.keyword))",
      pointer: violation.instance, place: document.place(of: violation.instance), file: name)
  }
}

/// Answers pairs of a schema and data, one for each line.
enum ValidationBatch {
  /// Returns an answer to every line, also to an invalid one.
  static func answer(to line: [UInt8]) -> JSON {
    let request: JSON
    do {
      request = try JSON(parsing: line)
    } catch {
      return refusal(error.code, error.message)
    }
    guard let source = request["schema"], let data = request["data"] else {
      return refusal(CLIErrorCode.lineInvalid, "a line is {\"schema\": …, \"data\": …}")
    }
    let compilation = JSONSchema.compile(source)
    guard let schema = compilation.schema else {
      let mistake = compilation.findings.first(where: \.isError)
      let place = mistake.map { $0.pointer.tokens.isEmpty ? "" : " at \($0.pointer.shown)" } ?? ""
      return refusal(
        mistake?.code ?? SchemaErrorCode.keyword, "The schema can't be used: \(mistake?.message ?? "")\(place)")
    }
    switch verdict(of: schema, on: data) {
    case .success(let verdict):
      return answer(verdict.violations.map(json), isValid: verdict.isValid, more: verdict.omitted)
    case .failure(let exceeded): return refusal(exceeded.code, exceeded.message)
    }
  }

  static func verdict(of schema: JSONSchema, on data: JSON) -> Result<SchemaVerdict, SchemaBudgetExceeded> {
    do {
      return .success(try schema.validate(data))
    } catch {
      return .failure(error)
    }
  }

  /// Returns findings with their lines and columns.
  /// - Parameter violations: what the findings say, one each; nil when they are about the schema.
  static func answer(_ findings: [Finding], violations: [SchemaViolation]?, more: Int) -> JSON {
    let errors = findings.filter { $0.severity == .error }.enumerated().map { index, finding -> JSON in
      var all = violations.map { members(of: $0[index]) } ?? [:]
      for (name, value) in finding.json.objectValue ?? [:] where all[name] == nil { all[name] = value }
      return .object(all)
    }
    return answer(errors, isValid: errors.isEmpty, more: more)
  }

  private static func answer(_ errors: [JSON], isValid: Bool, more: Int) -> JSON {
    var members: JSONObject = ["valid": .bool(isValid), "errors": .array(errors)]
    if more > 0 { members["more"] = .int(more) }
    return .object(members)
  }

  private static func json(_ violation: SchemaViolation) -> JSON { .object(members(of: violation)) }

  private static func members(of violation: SchemaViolation) -> JSONObject {
    [
      "pointer": .string(violation.instance.shown), "schema": .string(violation.keyword),
      "message": .string(violation.message),
    ]
  }

  private static func refusal(_ code: String, _ message: String) -> JSON {
    ["error": ["code": .string(code), "message": .string(message)]]
  }
}
