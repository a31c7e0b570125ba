/// The stable codes of a rehearsal's errors. Each has a page in `docs/errors/`.
public enum RehearsalErrorCode {
  /// A run in virtual time, or an exploration, needed more than its budget.
  public static let budget = "rehearsal.budget"
  /// No input could be made that the workflow's schema takes.
  public static let noInput = "rehearsal.noInput"
  /// The given answers name a step that the workflow doesn't have, or are not an object.
  public static let badAnswers = "rehearsal.badAnswers"
}
