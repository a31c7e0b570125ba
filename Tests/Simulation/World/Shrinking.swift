/// Makes a failing scenario smaller: takes out every part without which it still breaks the same rule.
public enum Shrinking {
  /// - Returns: the parts that are not needed, and the run without them.
  public static func shrink(
    seed: UInt64, _ first: Run, breaks rule: String, fault: EngineFault? = nil
  ) -> (without: Set<String>, run: Run) {
    var removed: Set<String> = []
    var best = first
    var isSmaller = true
    while isSmaller {
      isSmaller = false
      for part in Scenario(seed: seed).without(removed).parts where !removed.contains(part) {
        let run = Simulation.run(seed: seed, without: removed.union([part]), fault: fault)
        if run.violations.contains(where: { $0.rule == rule }) {
          removed.insert(part)
          best = run
          isSmaller = true
        }
      }
    }
    return (removed, best)
  }
}
