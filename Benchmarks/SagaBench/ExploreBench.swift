import BenchSupport
import Foundation
import JSON
import Rehearsal
import SagaCore
import Workflows

/// What `saga check --explore` and `--pairs` cost, in processor time. A run that shares its beginning with another one
/// costs less than a run from the start: `ratioToRuns` compares both.
///
///     saga-bench explore [--rounds 5] [FILE…]
enum ExploreBench {
  /// - Parameter files: the workflows; all shipped ones when it is empty.
  static func run(files: [String], rounds: Int) throws {
    let shipped = try FileManager.default.contentsOfDirectory(atPath: "workflows").filter { $0.hasSuffix(".json") }
    for file in files.isEmpty ? shipped.sorted().map({ "workflows/\($0)" }) : files {
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
      guard let definition = WorkflowChecker.check(bytes, file: file).definition else { throw NotAWorkflow(file: file) }
      print(try figures(of: definition, rounds: rounds).text())
      fflush(nil)
    }
  }

  /// Returns the medians of all rounds.
  private static func figures(of definition: WorkflowDefinition, rounds: Int) throws -> JSON {
    let explorer = Explorer(definition)
    var (one, singles, pairs): ([Double], [Double], [Double]) = ([], [], [])
    var (runs, played) = (0, 0)
    for _ in 0..<max(1, rounds) {
      let (exploration, seconds) = try measured { try explorer.explore() }
      singles.append(seconds)
      runs = exploration.routeRuns.count + exploration.runs.count
      let plan = try explorer.pairPlan()
      let (part, more) = try measured { try plan.play(part: 0, of: 1) }
      pairs.append(more)
      played = plan.exploration(of: [part]).pairs?.played ?? 0
      one.append(try secondsOfRun(of: definition, exploration.routes[0].answers))
    }
    let run = median(one)
    return [
      "workflow": .string(definition.name), "runs": .int(runs), "pairs": .int(played),
      "processorMicrosecondsOfRun": rounded(run * 1_000_000), "processorSecondsOfRuns": rounded(median(singles)),
      "processorSecondsOfPairs": rounded(median(pairs)),
      "ratioToRuns": [
        "runs": rounded(median(singles) / (run * Double(max(1, runs)))),
        "pairs": rounded(median(pairs) / (run * Double(max(1, played)))),
      ],
    ]
  }

  /// Returns the processor time of one run on which nothing fails, from its start.
  private static func secondsOfRun(of definition: WorkflowDefinition, _ answers: Answers) throws -> Double {
    let saga = VirtualSaga(definition, input: answers.input)
    let repeats = 20
    return try measured {
      for _ in 0..<repeats {
        _ = try saga.run(
          people: { wait in
            let body = answers.outputs[ItemID.step(of: wait.step)] ?? [:]
            let signal = SignalGiven(name: wait.signal, id: "\(wait.step)-\(wait.round)", body: body, by: "bench")
            return [VirtualAct(after: .seconds(1), .signal(signal))]
          },
          participant: { call in
            let output = answers.outputs[ItemID.step(of: call.call.step)] ?? [:]
            guard case .http(let http) = call.call.action else { return .succeeds(output) }
            let answer = LookAnswer(status: http.success.first?.lowerBound ?? 200, headers: [:], body: output)
            let usual = PlannedAnswer.usualTime
            return PlannedAnswer(.answered(answer), after: usual, effect: usual)
          })
      }
    }.seconds / Double(repeats)
  }

  private static func measured<Result>(_ body: () throws -> Result) rethrows -> (result: Result, seconds: Double) {
    let start = ProcessFigures.processorSeconds()
    let result = try body()
    return (result, ProcessFigures.processorSeconds() - start)
  }

  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private static func rounded(_ value: Double) -> JSON { .number(JSONNumber(SagaBench.rounded(value))) }

  private struct NotAWorkflow: Error, CustomStringConvertible {
    let file: String
    var description: String { "\(file) is not a workflow without errors: saga check \(file)" }
  }
}
