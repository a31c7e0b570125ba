import BenchSupport
import CSystem
import Foundation
import Persistence
import Values

/// How many six-step sagas and events a second the engine carries on each store, its steps answered in the process.
@main
struct SagaBench {
  static func main() async {
    // At once off the main actor: hops to it would cost more than the work.
    await run()
  }

  @concurrent
  static func run() async {
    // As the command line does.
    saga_limit_heaps()
    let arguments = CommandLine.arguments
    func option(_ name: String, _ standard: Int) -> Int {
      arguments.firstIndex(of: "--\(name)").flatMap { Int(arguments[$0 + 1]) } ?? standard
    }
    let rounds = option("rounds", 3)
    let count = option("sagas", 5_000)
    let inFlight = option("in-flight", 512)
    let stores = arguments.firstIndex(of: "--stores").map { arguments[$0 + 1].split(separator: ",").map(String.init) }
    do {
      switch arguments.dropFirst().first {
      case "read-model":
        return try await ReadModelBench.run(
          sagas: option("sagas", 1_000_000), rounds: option("rounds", 40), stores: stores ?? ["sqlite", "postgres"],
          file: arguments.firstIndex(of: "--file").flatMap {
            arguments.indices.contains($0 + 1) ? arguments[$0 + 1] : nil
          })
      case "rebuild":
        return try await RebuildBench.run(
          sagas: option("sagas", 200_000), meanwhile: option("meanwhile", 100), inFlight: inFlight)
      case "items":
        let sizes = arguments.firstIndex(of: "--sizes").map {
          arguments[$0 + 1].split(separator: ",").compactMap { Int($0) }
        }
        return try await ItemsBench.run(
          sizes: sizes ?? [1_000, 10_000, 100_000], parallel: option("parallel", 10), rounds: rounds,
          stores: stores ?? ["memory", "sqlite"], undoes: arguments.contains("--undo"))
      case "items-killed":
        return try await ItemsBench.runKilled(
          size: option("items", 100_000), parallel: option("parallel", 10), undoes: arguments.contains("--undo"))
      case "items-once":
        return try await ItemsRun(arguments).run()
      case "explore":
        return try ExploreBench.run(
          files: arguments.dropFirst(2).filter { $0.hasSuffix(".json") }, rounds: option("rounds", 5))
      default: break
      }
      // Round by round over all stores, so that a machine whose speed drifts is unfair to none.
      for round in 1...rounds {
        for kind in stores ?? ["memory", "sqlite", "postgres"] {
          guard let bed = try await TestBed.make(kind) else {
            print(#"{"store": "\#(kind)", "skipped": "TRACSEQ_TEST_POSTGRES is not set"}"#)
            continue
          }
          let figure = try await SixSteps.measure(bed.store, count: count, inFlight: inFlight)
          print(
            #"{"store": "\#(kind)", "round": \#(round), "sagas": \#(count), "events": \#(figure.events), "#
              + #""seconds": \#(rounded(figure.seconds)), "sagasPerSecond": \#(Int(Double(count) / figure.seconds)), "#
              + #""eventsPerSecond": \#(Int(Double(figure.events) / figure.seconds))}"#)
          await bed.remove()
        }
      }
    } catch {
      print("The benchmark failed: \(error)")
      exit(1)
    }
  }

  static func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }
}
