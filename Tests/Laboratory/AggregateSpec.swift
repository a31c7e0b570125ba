import JSON
import Testing
import Values

@testable import Laboratory

/// Given some events, when a command comes, then these events, or this refusal.
struct AggregateSpec<A: Aggregate> {
  private let events: [A.Event]

  static func given(_ events: A.Event...) -> AggregateSpec { AggregateSpec(events: events) }

  func when(_ command: A.Command) -> Outcome {
    let state = events.reduce(A.absent, A.evolve)
    do throws(LabRefusal) {
      return Outcome(events: try A.decide(command, state), refusal: nil)
    } catch {
      return Outcome(events: [], refusal: error)
    }
  }

  struct Outcome {
    let events: [A.Event]
    let refusal: LabRefusal?

    func then(_ expected: A.Event..., at place: SourceLocation = #_sourceLocation) {
      if refusal == nil, events == expected { return }
      Issue.record("\(difference(from: expected.map(Self.line)))", sourceLocation: place)
    }

    func thenRefused(_ code: String, _ status: Int, at place: SourceLocation = #_sourceLocation) {
      if let refusal, refusal.code == code, refusal.status == status { return }
      Issue.record("\(difference(from: ["refused: \(code) (\(status))"]))", sourceLocation: place)
    }

    /// Expected and actual lines, one below the other: `-` is missing, `+` wasn't expected.
    private func difference(from expected: [String]) -> String {
      let actual = refusal.map { ["refused: \($0.code) (\($0.status)): \($0.message)"] } ?? events.map(Self.line)
      let lines =
        expected.map { actual.contains($0) ? "  \($0)" : "- \($0)" }
        + actual.filter { !expected.contains($0) }.map { "+ \($0)" }
      return "Not what was expected:\n" + lines.joined(separator: "\n")
    }

    private static func line(_ event: A.Event) -> String { "\(event.type) \(event.data.text(.canonical))" }
  }
}

/// An event is read back from the store as what it was.
func expectStorable<Event: LabEvent>(_ event: Event, at place: SourceLocation = #_sourceLocation) throws {
  let read = try Event(type: event.type, data: JSON(parsing: event.data.bytes()))
  #expect(read == event, sourceLocation: place)
}

extension UniqueID {
  static func named(_ name: String) -> UniqueID { .derived(from: name) }
}
