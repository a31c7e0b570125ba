import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("A second SIGTERM under load", .serialized, .timeLimit(.minutes(15)), .apart)
struct SecondSignalTests {
  /// A crash came in about 1 of 15 rounds, before.
  static let rounds = 12

  @Test("A second SIGTERM ends the process at once, with status 1 and without a crash")
  func atOnce() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    var ends: Set<Int32> = []
    for round in 0..<Self.rounds {
      let engine = try await site.startEngine(lab: lab)
      let starting = Task {
        await withTaskGroup(of: Void.self) { group in
          for worker in 0..<32 {
            group.addTask {
              var number = 0
              while !Task.isCancelled {
                number += 1
                let tube = round * 100_000 + worker * 1_000 + number
                if (try? await site.start(tube, at: engine)) == nil { return }
              }
            }
          }
        }
      }
      try await eventually("there is load", within: .seconds(60)) {
        let stats = try await site.call("GET", "\(engine.url)/v1/stats")
        return (stats.body["sagas"]?["completed"]?.intValue ?? 0) > 10 * (round + 1)
      }
      engine.send(SIGTERM)
      // The wait keeps the kernel from merging the two signals. Its length differs from round to round.
      try await eventually("it has heard the first", within: .seconds(20), every: .milliseconds(1 + round * 3)) {
        engine.said.contains("Stopping")
      }
      engine.send(SIGTERM)
      // 0 when nothing was left to settle before the second signal came. A crash gives a signal's number.
      let status = await engine.status()
      #expect(status == 1 || status == 0, "round \(round): \(status) \(engine.said.suffix(3_000))")
      ends.insert(status)
      starting.cancel()
      await starting.value
    }
    #expect(ends.contains(1), "the second signal always came too late")
    #expect(await lab.stop() == 0)
    await site.close()
  }
}
