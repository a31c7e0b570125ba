import EmbeddedSagas
import Foundation

/// A freezer with one free place. It knows a repeat by its key, so that no attempt takes a place twice.
actor Freezer {
  private var places: [String: String] = [:]

  func put(_ tube: String, key: String) throws -> Int {
    if places[key] != nil { return places.count }
    guard places.isEmpty else { throw StepRefused("freezer.full", "The freezer has no free place.") }
    places[key] = tube
    return places.count
  }

  func take(key: String) { places[key] = nil }
}

@main
struct Main {
  static func main() async throws {
    let freezer = Freezer()
    let storeTube = SwiftWorkflow(
      "store-tube", version: 1,
      steps: [
        SwiftStep("store") { step in
          .int(try await freezer.put(step.input["barcode"]?.stringValue ?? "", key: step.key))
        } undo: { step in
          await freezer.take(key: step.key)
        },
        SwiftStep("inspect") { step in
          if step.input["cracked"]?.boolValue == true { throw StepRefused("TUBE_CRACKED", "The tube is cracked.") }
          return ["place": step.output(of: "store") ?? .null]
        },
      ])
    let file = CommandLine.arguments.dropFirst().first ?? FileManager.default.currentDirectoryPath + "/sagas.db"
    try await EmbeddedEngine.run(at: file, workflows: [storeTube]) { engine in
      for (barcode, cracked) in [("T-17", true), ("T-18", false)] {
        let saga = try await engine.start(
          "store-tube", input: ["barcode": .string(barcode), "cracked": .bool(cracked)])
        for try await event in engine.events(of: saga) { print("  \(event.typeName) \(event.step ?? "")") }
        print("\(barcode) is \(try await engine.end(of: saga).status)")
      }
    }
  }
}
