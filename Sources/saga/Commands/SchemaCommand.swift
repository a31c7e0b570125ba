import Assets
import Values

let schemaCommand = CommandSpec(
  "schema", summary: "print the JSON Schema of workflow files",
  about: [
    "Prints a JSON Schema (2020-12). An editor that has the schema of workflows completes and checks a file as you type: "
      + "name it in the file's \"$schema\". A running engine serves the same schemas at /schema/.",
    "NAME is `workflow` (the default), `tests`, `stream`, or an event in a version, as `events/stepFailed.v1`. --list "
      + "prints all names.",
  ],
  operands: [OperandSpec("NAME", .atMostOne, words: SchemaNames.all.keys.sorted(), help: "which schema")],
  options: [OptionSpec("list", help: "print the names of all schemas")],
  examples: [
    .init(says: "Keep the schema beside your workflows", line: "saga schema > workflow.schema.json"),
    .init(says: "What does an event look like?", line: "saga schema events/stepFailed.v1"),
  ]
) { invocation in
  if invocation.arguments.has("list") {
    for name in SchemaNames.all.keys.sorted() { invocation.terminal.line(name) }
    return .success
  }
  let name = invocation.arguments.operand(0) ?? "workflow"
  guard let path = SchemaNames.all[name], let text = Assets.text(path) else {
    let near =
      NearNames.nearest(to: name, among: SchemaNames.all.keys.sorted(), completes: true).map { "; did you mean \($0)?" }
      ?? ""
    throw invocation.usage("there is no schema \"\(name)\"\(near)")
  }
  invocation.terminal.write(text)
  return .success
}

/// The schemas that the program carries, by the names that `saga schema` takes.
enum SchemaNames {
  static let all: [String: String] = {
    let folder = "docs/schema/"
    let files = Assets.paths.filter { $0.hasPrefix(folder) && !$0.hasSuffix("openapi.json") }
    return Dictionary(
      uniqueKeysWithValues: files.map { path in
        let name = path.dropFirst(folder.count)
        let ending = name.hasSuffix(".schema.json") ? ".schema.json" : ".json"
        return (String(name.dropLast(ending.count)), path)
      })
  }()
}
