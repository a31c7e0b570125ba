import TestSupport
import Testing

/// The laboratory and the stream processor are not part of the engine.
@Suite("The laboratory and the stream processor stay beside the product", .timeLimit(.minutes(15)), .inTurn)
struct BesideTests {
  /// The modules of the product, without the command line, which has commands for both.
  private static let product = [
    "JSON", "Values", "Runtime", "Workflows", "Persistence", "HTTP", "Messaging", "WorkflowEngine", "Server",
  ]

  @Test("No module of the product imports the laboratory", arguments: product)
  func laboratory(module: String) throws {
    for file in try Tree.files(under: "Sources/\(module)", extension: "swift") {
      for (number, line) in file.code where line.contains("import ") {
        #expect(!line.hasSuffix("import Laboratory"), "\(file.path):\(number) imports the laboratory")
      }
    }
  }

  @Test("No module of the product, and no part of the echo, uses a type of the stream processor")
  func streamProcessor() throws {
    let types = try Self.types(in: "Sources/Streaming/Processing")
    #expect(types.contains("StreamProcessor") && types.count > 10, "Found \(types.count) types: the rule reads wrongly")
    for folder in Self.product.map({ "Sources/\($0)" }) + ["Sources/Streaming/Echo"] {
      for file in try Tree.files(under: folder, extension: "swift") {
        for (number, line) in file.code {
          for word in line.split(whereSeparator: { !$0.isLetter }) where types.contains(String(word)) {
            Issue.record("\(file.path):\(number) uses \(word) of the stream processor")
          }
        }
      }
    }
  }

  /// Returns the names of the public types that are declared in a folder.
  private static func types(in folder: String) throws -> Set<String> {
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "actor"]
    var types: Set<String> = []
    for file in try Tree.files(under: folder, extension: "swift") {
      for (_, line) in file.code where line.hasPrefix("public ") {
        let words = line.split(whereSeparator: { !$0.isLetter })
        guard let kind = words.firstIndex(where: { kinds.contains($0) }), kind + 1 < words.count else { continue }
        types.insert(String(words[kind + 1]))
      }
    }
    return types
  }
}
