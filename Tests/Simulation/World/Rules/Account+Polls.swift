import JSON
import Runtime
import Values

// Polls. The history has their timetable, and not every look.
extension Account {
  mutating func pollStarted(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    starts(index, fact)
    needsTurn(index, fact)
    let step = steps[index]
    if step.phase == .pending, !holds(step.plan.when) {
      violates("when", "\(fact.step) starts though its condition does not hold", fact)
    }
    if ![.pending, .queued, .backingOff].contains(step.phase) {
      violates("the history", "step is \(step.phase)", fact)
    }
    guard let poll = step.plan.poll else { return violates("polls", "the step has no poll", fact) }
    if fact.number("everyMs") != poll.everyMs { violates("polls", "looks each \(poll.everyMs) ms", fact) }
    let end = step.plan.timeoutMs.map { fact.at + .milliseconds($0) }
    if fact.time("until") != end { violates("polls", "its timeout gives another end", fact) }
    steps[index].phase = .polling
    steps[index].due = clock(fact.at)
    steps[index].pollEnd = end.map { due($0, setAt: fact.at) }
    steps[index].isRetry = false
  }

  mutating func pollAnswered(_ fact: Fact) {
    guard let index = index(fact.step) else { return violates("the history", "names no step", fact) }
    let step = steps[index]
    guard let poll = step.plan.poll, let next = fact.time("next"), let lookedAt = fact.time("lookedAt") else {
      return violates("the history", "is not of a poll", fact)
    }
    if step.phase == .polling {
      if poll.isRecorded || fact.data["attempt"] != nil { violates("the history", "no attempt is in flight", fact) }
      looks(step, fact)
    } else if step.phase != .running || fact.number("attempt") != step.attempt {
      violates("the history", "step is \(step.phase)", fact)
    }
    if ["done", "failed"].contains(fact.text("shown")) { violates("polls", "the answer ends the poll", fact) }
    let pause = (next - lookedAt).wholeMilliseconds
    if pause <= 0 || pause % poll.everyMs != 0 || next <= fact.at {
      violates("polls", "looks \(pause) ms after a look, and each \(poll.everyMs) ms", fact)
    }
    steps[index].phase = .polling
    steps[index].isInFlight = false
    steps[index].isRetry = false
    steps[index].spent = 0
    steps[index].due = due(next, setAt: fact.at)
    if step.outcome == "failed" { steps[index].outcome = "none" }
    keep(index)
  }

  /// Checks that a look is not earlier than the history says. The last look is made when the poll ends.
  mutating func looks(_ step: Step, _ fact: Fact) {
    guard let next = step.due else { return }
    let due = step.isRetry ? next : min(next, step.pollEnd ?? next)
    if clock(fact.at) < due { violates("7 never early", "the look is due \(due - clock(fact.at)) later", fact) }
  }

  /// A look failed that the history does not have as an attempt. From now on it has.
  mutating func beginUnrecordedLook(_ index: Int, _ fact: Fact) {
    looks(steps[index], fact)
    if steps[index].plan.mayChange || fact.data["look"] == nil { violates("polls", "the look was an attempt", fact) }
    if fact.flag("unknown") { violates("polls", "a look that changes nothing is unknown", fact) }
    if steps[index].spent >= steps[index].plan.maxAttempts - 1 {
      violates("retry", "\(fact.step) has used up its \(steps[index].plan.maxAttempts) attempts", fact)
    }
    steps[index].phase = .running
    steps[index].isInFlight = true
    steps[index].attempt += 1
    steps[index].spent += 1
  }

  /// Checks that an answer ended the poll of a step that succeeds.
  mutating func ended(_ step: Step, _ fact: Fact) {
    guard step.plan.poll != nil else { return }
    if step.phase == .polling { looks(step, fact) }
    if fact.data["output"]?["state"] != "done" { violates("polls", "until does not hold", fact) }
  }
}
