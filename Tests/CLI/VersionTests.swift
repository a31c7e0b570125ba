import Foundation
import JSON
import TestSupport
import Testing
import Values

@testable import saga

@Suite("The version and what the program consists of", .timeLimit(.minutes(15)), .inTurn)
struct VersionTests {
  @Test("version prints the version alone, as --version does")
  func version() async throws {
    let result = await TestTool().run("version")
    #expect(result.output == "saga \(ProgramVersion.text)\n")
    #expect(await TestTool().run("--version").output == result.output)
    let json = try JSON(parsing: Array(await TestTool().run("version", "--json").output.utf8))
    #expect(json == ["version": .string(ProgramVersion.text)])
  }

  @Test("The table has every C library of Package.swift, with versions that are numbers")
  func libraries() async throws {
    let manifest = try String(contentsOf: Repository.root.appending(path: "Package.swift"), encoding: .utf8)
    let declared = manifest.matches(of: #/cLibrary\("\w+", pkgConfig: "([\w-]+)"/#).map { String($0.output.1) }
    #expect(declared.count > 4)
    #expect(Set(ProgramVersion.libraries.map(\.name)) == Set(declared))
    for library in ProgramVersion.libraries {
      #expect(library.loaded.wholeMatch(of: #/\d+(\.\d+)+.*/#) != nil, "\(library)")
      // The tests load what they were compiled with, or a later one of the same line.
      #expect(library.compiled.split(separator: ".").first == library.loaded.split(separator: ".").first, "\(library)")
    }
    let lines = await TestTool().run("version", "--libraries").output.split(separator: "\n")
    #expect(lines.count == 1 + declared.count + 1)
    for (line, library) in zip(lines.dropFirst(), ProgramVersion.libraries + [ProgramVersion.swift]) {
      #expect(line.hasPrefix(library.name) && line.contains(library.loaded) && line.contains(library.licence))
    }
  }

  /// The members that CycloneDX 1.5 requires, and the forms of those that are used.
  private static let schema: JSON = [
    "type": "object", "required": ["bomFormat", "specVersion", "serialNumber", "version", "metadata", "components"],
    "properties": [
      "bomFormat": ["const": "CycloneDX"], "specVersion": ["const": "1.5"],
      "serialNumber": [
        "type": "string",
        "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
      ],
      "version": ["type": "integer", "minimum": 1],
      "metadata": [
        "type": "object", "required": ["timestamp", "component"],
        "properties": ["component": ["$ref": "#/$defs/component"]],
      ],
      "components": ["type": "array", "uniqueItems": true, "items": ["$ref": "#/$defs/component"]],
      "dependencies": [
        "type": "array",
        "items": [
          "type": "object", "required": ["ref"],
          "properties": ["dependsOn": ["type": "array", "uniqueItems": true, "items": ["type": "string"]]],
        ],
      ],
    ],
    "$defs": [
      "component": [
        "type": "object", "required": ["type", "name", "version", "bom-ref", "licenses"],
        "properties": [
          "type": ["enum": ["application", "library"]], "name": ["type": "string", "minLength": 1],
          "version": ["type": "string", "minLength": 1],
          "purl": ["type": "string", "pattern": "^pkg:generic/[a-z0-9-]+@[^ ]+$"],
          "licenses": [
            "type": "array", "minItems": 1, "maxItems": 1,
            "items": [
              "oneOf": [
                ["required": ["expression"], "properties": ["expression": ["type": "string"]]],
                ["required": ["license"], "properties": ["license": ["type": "object", "required": ["id"]]]],
              ]
            ],
          ],
          "externalReferences": [
            "type": "array", "items": ["type": "object", "required": ["type", "url"]],
          ],
          "properties": ["type": "array", "items": ["type": "object", "required": ["name", "value"]]],
        ],
      ]
    ],
  ]

  @Test("The SBOM has the members that CycloneDX requires, and each part of the table once")
  func sbom() async throws {
    let result = await TestTool().run("version", "--sbom")
    #expect(result.status == .success, "\(result.complaint)")
    let bill = try JSON(parsing: Array(result.output.utf8))
    #expect(SchemaValidator(document: Self.schema).violations(of: bill) == [])
    let names = bill["components"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
    #expect(names == ProgramVersion.libraries.map(\.name) + ["swift"])
    #expect(bill["dependencies"]?[0]?["dependsOn"]?.arrayValue?.compactMap(\.stringValue) == names)
    #expect(bill["components"]?[0]?["version"]?.stringValue == ProgramVersion.libraries[0].loaded)
    #expect(await TestTool().run("version", "--sbom", "--libraries").status == .usage)
  }
}
