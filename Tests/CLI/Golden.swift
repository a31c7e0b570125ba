import Foundation
import JSON
import Runtime
import Testing
import Values
import Wire

@testable import saga

/// The stored outputs of the drawings. `RECORD_GOLDENS=1 swift test` writes them again.
enum Golden {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  /// The time at which the drawings are made.
  static let now = Timestamp("2026-03-01T08:15:45.000Z") ?? Timestamp(milliseconds: 0)

  static func saga(_ name: String) throws -> JSON {
    try JSON(parsing: [UInt8](Data(contentsOf: folder.appending(path: "Sagas/\(name).json"))))
  }

  /// The same saga, read as the command line reads it.
  static func response(_ name: String) throws -> SagaResponse {
    try EngineAnswer(try saga(name)).read()
  }

  /// - Parameter width: how wide its widest line may be.
  static func expect(_ text: String, is name: String, width: Int = 80, at location: SourceLocation = #_sourceLocation)
    throws
  {
    let file = folder.appending(path: "Goldens/\(name).txt")
    if ProcessInfo.processInfo.environment["RECORD_GOLDENS"] == "1" {
      try Data(text.utf8).write(to: file)
      return
    }
    let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(text == golden, "\(name) is drawn as\n\(text)\nand was\n\(golden)", sourceLocation: location)
    let widest = text.split(separator: "\n").map(\.count).max() ?? 0
    #expect(widest <= width, "\(name) is \(widest) columns wide", sourceLocation: location)
  }
}
