import TestSupport
import Testing

@Suite("Arrows between the modules point one way", .timeLimit(.minutes(15)), .inTurn)
struct ArrowTests {
  static let allowed: [String: Set<String>] = [
    "Assets": ["CAssets"],
    "JSON": [],
    "Values": ["JSON", "CCrypto"],
    "Wire": ["JSON", "Values"],
    "Runtime": ["JSON", "Values", "CCrypto"],
    "Patterns": [],
    "JSONSchema": ["JSON", "Values", "Patterns"],
    "Workflows": ["JSON", "Values", "Patterns", "JSONSchema"],
    "Authoring": ["JSON", "Values", "Workflows"],
    "SagaCore": ["JSON", "Values", "JSONSchema", "Workflows"],
    "Rehearsal": ["JSON", "Values", "JSONSchema", "Workflows", "SagaCore"],
    "Persistence": ["JSON", "Runtime", "Values", "CSQLite", "CSystem"],
    "PostgresPersistence": ["Runtime", "Values", "Persistence", "CPostgres"],
    "HTTP": ["JSON", "Runtime", "Values", "CCurl", "CMicrohttpd", "CSystem", "CTLS"],
    "Messaging": ["JSON", "Runtime", "Values", "HTTP", "CKafka"],
    "Streaming": ["JSON", "Runtime", "Values", "Workflows", "Persistence", "Messaging"],
    "WorkflowEngine": ["JSON", "Runtime", "Values", "JSONSchema", "Workflows", "SagaCore", "Persistence"],
    "HTTPSteps": ["JSON", "Runtime", "Values", "Workflows", "SagaCore", "HTTP", "WorkflowEngine"],
    "KafkaGateway": [
      "Assets", "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "Messaging", "Streaming",
      "WorkflowEngine",
    ],
    "Notifications": [
      "JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "HTTP", "Messaging", "WorkflowEngine",
    ],
    "EmbeddedSagas": ["JSON", "Runtime", "Values", "Workflows", "SagaCore", "Persistence", "WorkflowEngine"],
    "Stub": ["JSON", "Runtime", "Values", "Workflows", "HTTP"],
    "Laboratory": ["JSON", "Runtime", "Values", "Persistence", "HTTP", "Messaging", "Streaming"],
    "Server": [
      "Assets", "JSON", "Runtime", "Values", "JSONSchema", "Wire", "Workflows", "SagaCore", "Persistence", "HTTP",
      "Messaging", "Streaming", "WorkflowEngine", "HTTPSteps", "KafkaGateway", "Notifications",
    ],
    "saga": [
      "Assets", "JSON", "Runtime", "Values", "JSONSchema", "Wire", "Workflows", "SagaCore", "Rehearsal",
      "Persistence", "PostgresPersistence", "HTTP", "Messaging", "Streaming", "WorkflowEngine", "HTTPSteps",
      "KafkaGateway", "Notifications", "Laboratory", "Stub", "Server", "CSystem", "Authoring",
    ],
  ]
  static let toolchain: Set<String> = ["Foundation", "Dispatch", "Synchronization"]
  /// Values and rules that no clock, file or thread may reach.
  static let pure = [
    "Sources/JSON/", "Sources/Values/", "Sources/Patterns/", "Sources/JSONSchema/", "Sources/Wire/",
    "Sources/Workflows/", "Sources/Authoring/", "Sources/SagaCore/", "Sources/Rehearsal/",
    "Sources/Streaming/Processing/Core/",
  ]

  @Test("A module imports only what the house lets it", arguments: allowed.keys.sorted())
  func imports(of module: String) throws {
    let files = try Tree.files(under: "Sources/\(module)", extension: "swift")
    #expect(!files.isEmpty, "Sources/\(module) has no source: the rule would check nothing")
    for file in files {
      for (number, line) in file.code {
        guard let imported = Self.imported(by: line) else { continue }
        let isAllowed = Self.allowed[module, default: []].contains(imported) || Self.toolchain.contains(imported)
        #expect(isAllowed, "\(file.path):\(number) imports \(imported), which \(module) may not")
      }
    }
  }

  @Test("The pure rooms import nothing that can act")
  func pureRooms() throws {
    for file in try Tree.files(under: "Sources", extension: "swift") {
      guard Self.pure.contains(where: { file.path.hasPrefix($0) }) else { continue }
      for (number, line) in file.code {
        guard let imported = Self.imported(by: line) else { continue }
        let acts = Self.toolchain.union(["Persistence", "PostgresPersistence", "HTTP", "Messaging", "Streaming"])
          .contains(imported)
        #expect(!acts, "\(file.path):\(number) imports \(imported) in a pure room")
      }
    }
  }

  @Test("The package depends on no package")
  func noPackages() throws {
    let manifest = try Tree.files(under: ".", extension: "swift").first { $0.path == "./Package.swift" }
    let text = try #require(manifest?.text)
    #expect(!text.contains(".package("))
  }

  private static func imported(by line: Substring) -> String? {
    let words = line.split(separator: " ").drop { $0.hasPrefix("@") || ["public", "internal", "package"].contains($0) }
    // Text in a literal, as a script that the server holds, may look like an import; a module has a plain name.
    guard words.first == "import", let name = words.dropFirst().last, !name.contains("\"") else { return nil }
    return String(name)
  }
}
