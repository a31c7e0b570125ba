import HTTP
import JSON
import Messaging
import Persistence
import PostgresPersistence
import Runtime
import Values

/// The version of the program, and what it consists of.
enum ProgramVersion {
  static let text = "0.1.0"

  /// What the program loads when it starts. The table of `saga version --libraries` and of the SBOM.
  static var libraries: [LinkedLibrary] {
    [LinkedLibrary.crypto] + HTTPLibraries.all + [KafkaLibrary.linked, PostgresLibrary.linked, SQLiteLibrary.linked]
  }

  /// The runtime of Swift, which a program contains or loads.
  static let swift = LinkedLibrary(
    name: "swift", compiled: compiler, loaded: compiler, licence: "Apache-2.0 WITH Swift-exception",
    website: "https://www.swift.org")

  // A program can't ask its compiler for more than this.
  private static var compiler: String {
    #if compiler(>=6.4)
      return "6.4 or later"
    #elseif compiler(>=6.3)
      return "6.3"
    #else
      return "6.2"
    #endif
  }
}

let versionCommand = CommandSpec(
  "version", summary: "print the program's version, its libraries, or its SBOM",
  about: [
    "Prints the version. --libraries adds each library that the program loads: the version that is loaded now, the "
      + "version that the program was compiled with, and the licence. A system's update replaces a library without the "
      + "program, so the two versions may differ.",
    "--sbom prints the same table as a software bill of materials: CycloneDX 1.5, for a scanner of vulnerabilities. It "
      + "asks no engine.",
  ],
  options: [
    OptionSpec("libraries", help: "each library with its versions and its licence"),
    OptionSpec("sbom", help: "a software bill of materials, as CycloneDX 1.5 in JSON"), .json,
  ],
  examples: [
    .init(says: "Which OpenSSL does it use?", line: "saga version --libraries"),
    .init(says: "For a scanner", line: "saga version --sbom > saga.cdx.json"),
  ]
) { invocation in
  let terminal = invocation.terminal
  let wantsLibraries = invocation.arguments.has("libraries")
  if invocation.arguments.has("sbom") {
    guard !wantsLibraries else { throw invocation.usage("--sbom has the libraries: leave --libraries out") }
    terminal.line(BillOfMaterials.json(invocation.environment).text(.pretty))
    return .success
  }
  let libraries = wantsLibraries ? ProgramVersion.libraries + [ProgramVersion.swift] : []
  if invocation.json {
    var members: JSONObject = ["version": .string(ProgramVersion.text)]
    if wantsLibraries { members["libraries"] = .array(libraries.map(\.json)) }
    terminal.line(JSON.object(members).text(.pretty))
    return .success
  }
  terminal.line("saga \(ProgramVersion.text)")
  let rows = libraries.map { one in
    [one.name, one.loaded, one.compiled == one.loaded ? "" : "compiled with \(one.compiled)", one.licence]
  }
  for line in Layout.table(rows) { terminal.line(line) }
  return .success
}

extension LinkedLibrary {
  fileprivate var json: JSON {
    [
      "name": .string(name), "loaded": .string(loaded), "compiled": .string(compiled), "licence": .string(licence),
      "website": .string(website),
    ]
  }
}

/// The program's parts as CycloneDX 1.5 (ECMA-424).
enum BillOfMaterials {
  static func json(_ environment: Runtime.Environment) -> JSON {
    let parts = ProgramVersion.libraries + [ProgramVersion.swift]
    let program: JSON = [
      "type": "application", "bom-ref": "saga", "name": "tracseq-sagas", "version": .string(ProgramVersion.text),
      "licenses": licences("Apache-2.0"),
    ]
    let names = parts.map { JSON.string($0.name) }
    let dependencies: [JSON] = names.map { name in ["ref": name, "dependsOn": []] }
    let metadata: JSON = ["timestamp": .timestamp(environment.wallNow()), "component": program]
    return [
      "bomFormat": "CycloneDX", "specVersion": "1.5",
      "serialNumber": .string("urn:uuid:\(environment.newID())"), "version": 1, "metadata": metadata,
      "components": .array(parts.map(component)),
      "dependencies": .array([["ref": "saga", "dependsOn": .array(names)]] + dependencies),
    ]
  }

  private static func component(_ part: LinkedLibrary) -> JSON {
    [
      "type": "library", "bom-ref": .string(part.name), "name": .string(part.name), "version": .string(part.loaded),
      "purl": .string("pkg:generic/\(part.name)@\(part.loaded.percentEncoded)"), "licenses": licences(part.licence),
      "externalReferences": [["type": "website", "url": .string(part.website)]],
      "properties": [["name": "tracseq:compiledWith", "value": .string(part.compiled)]],
    ]
  }

  /// A licence has an id of SPDX, and several or one with an exception are an expression.
  private static func licences(_ text: String) -> JSON {
    text.contains(" ")
      ? [["expression": .string(text)]] : [["license": ["id": .string(text)]]]
  }
}
