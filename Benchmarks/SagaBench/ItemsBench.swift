import Foundation
import JSON
import Runtime
import Values

/// What an item of a step with `forEach` costs, by the number of items. Every measurement is a process of its own, so that
/// none inherits memory, and all of them do the same number of items: one saga of 100,000, or a hundred sagas of 1,000,
/// one after the other.
///
///     saga-bench items [--sizes 1000,10000,100000] [--parallel 10] [--rounds 3] [--stores memory,sqlite] [--undo]
///     saga-bench items-killed [--items 100000] [--parallel 10] [--undo]
enum ItemsBench {
  static func run(sizes: [Int], parallel: Int, rounds: Int, stores: [String], undoes: Bool) async throws {
    let sizes = sizes.sorted()
    guard let largest = sizes.last else { return }
    var lines: [String: [Int: [JSON]]] = [:]
    // Round by round over all sizes, so that a machine whose speed drifts is unfair to none.
    for round in 1...rounds {
      for store in stores {
        for size in sizes {
          let run = ItemsRun(
            store: store, items: size, sagas: max(1, largest / size), parallel: parallel, undoes: undoes)
          guard let line = try Self.process(run.arguments).line else { throw NoFigures(run: run) }
          print(#"{"round": \#(round), \#(line.dropFirst())"#)
          fflush(nil)
          let figures = try JSON(parsing: line)
          if figures["skipped"] == nil { lines[store, default: [:]][size, default: []].append(figures) }
        }
      }
    }
    for store in stores {
      guard let smallest = sizes.first, let bySize = lines[store] else { continue }
      for size in sizes.dropFirst() {
        compare(store, undoes, (smallest, bySize[smallest] ?? []), (size, bySize[size] ?? []))
      }
    }
  }

  /// Prints the figures of a large saga as ratios to those of a small one: the medians of all rounds.
  private static func compare(_ store: String, _ undoes: Bool, _ small: (Int, [JSON]), _ large: (Int, [JSON])) {
    func median(_ name: String, _ lines: [JSON]) -> Double {
      let values = lines.compactMap { $0[name]?.doubleValue }.sorted()
      return values.isEmpty ? .nan : values[values.count / 2]
    }
    func ratio(_ name: String) -> Double { SagaBench.rounded(median(name, large.1) / median(name, small.1)) }
    print(
      #"{"store": "\#(store)", "undo": \#(undoes), "items": [\#(small.0), \#(large.0)], "#
        + #""ratioOfTime": \#(ratio("microsecondsPerItem")), "#
        + #""ratioOfProcessorTime": \#(ratio("processorMicrosecondsPerItem")), "#
        + #""ratioOfEvents": \#(ratio("eventsPerItem")), "#
        + #""residentMiBMost": [\#(median("residentMiBMost", small.1)), \#(median("residentMiBMost", large.1))], "#
        + #""growthWhileItRuns": \#(SagaBench.rounded(median("growthWhileItRuns", large.1))), "#
        + #""mostToTenth": \#(SagaBench.rounded(median("mostToTenth", large.1)))}"#)
  }

  /// Kills the engine's process with SIGKILL after half of the calls, starts it again on the same SQLite file, and counts
  /// the calls of each key. With undos it is killed once more, after half of them.
  static func runKilled(size: Int, parallel: Int, undoes: Bool) async throws {
    let folder = NSTemporaryDirectory() + "saga-bench-\(Environment.system.newID())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // In the second run half of the items and half of the undos are left before the next kill.
    for killAfter in undoes ? [size / 2, size, 0] : [size / 2, 0] {
      let run = ItemsRun(
        store: "sqlite", items: size, sagas: 1, parallel: parallel, undoes: undoes, folder: folder, killAfter: killAfter
      )
      let ended = try Self.process(run.arguments)
      guard (killAfter == 0) == (ended.line != nil) else { throw NoFigures(run: run) }
      if let line = ended.line { print(#"{"what": "resumed", \#(line.dropFirst())"#) }
    }
    let calls = try String(contentsOfFile: ItemsRun.log(in: folder), encoding: .utf8).split(separator: "\n")
    let keys = Set(calls)
    print(
      #"{"what": "calls", "items": \#(size), "undo": \#(undoes), "keys": \#(keys.count), "#
        + #""keysExpected": \#(size * (undoes ? 2 : 1)), "repeated": \#(calls.count - keys.count), "#
        + #""repeatedAtMost": \#(parallel * (undoes ? 2 : 1))}"#)
  }

  struct NoFigures: Error { let run: ItemsRun }

  /// Runs this program once more.
  /// - Returns: the line of figures that it printed; nil when it was killed.
  private static func process(_ arguments: [String]) throws -> (line: String?, status: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let line = text.split(separator: "\n").last { $0.hasPrefix("{") }.map(String.init)
    return (
      process.terminationReason == .exit && process.terminationStatus == 0 ? line : nil, process.terminationStatus
    )
  }
}
