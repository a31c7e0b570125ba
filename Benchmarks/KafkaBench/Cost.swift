import BenchSupport
import Foundation
import Messaging
import Persistence
import Streaming
import Values

/// What the echo costs the engine: sagas a second with it and without, by turns.
enum Cost {
  static func measure(_ cluster: KafkaCluster, sagas: Int, stores: [String], round: Int) async throws {
    for kind in stores {
      var figures: [Bool: Double] = [:]
      var processor: [Bool: Double] = [:]
      // Who goes first changes from round to round.
      for isOn in round.isMultiple(of: 2) ? [true, false] : [false, true] {
        guard let bed = try await TestBed.make(kind) else { continue }
        try await bed.store.own(shards: nil)
        let echo = isOn ? try KafkaBench.echo(bed.store, cluster) : nil
        let telling = echo.map { echo in Task { try await echo.run() } }
        let before = ProcessFigures.processorSeconds()
        let figure = try await SixSteps.measure(bed.store, count: sagas, inFlight: 512)
        figures[isOn] = Double(sagas) / figure.seconds
        processor[isOn] = (ProcessFigures.processorSeconds() - before) / Double(sagas) * 1e3
        telling?.cancel()
        _ = await telling?.result
        await bed.remove()
      }
      guard let on = figures[true], let off = figures[false] else { continue }
      print(
        #"{"what": "cost", "store": "\#(kind)", "round": \#(round), "sagasPerSecond": \#(Int(off)), "#
          + #""withEcho": \#(Int(on)), "ratio": \#((on / off * 1_000).rounded() / 1_000), "#
          + #""processorMsPerSaga": [\#(shown(processor[false])), \#(shown(processor[true]))]}"#)
    }
  }

  private static func shown(_ value: Double?) -> Double { ((value ?? 0) * 1_000).rounded() / 1_000 }
}
