extension RehearsalErrorCode {
  // Codes of test files.
  /// A part of a test file is not as the language of test files has it.
  public static let testsInvalid = "tests.invalid"
  /// A test file names a step, a signal or an undo that its workflow doesn't have.
  public static let testsUnknownName = "tests.unknownName"
  /// The workflow of a test file can't be read, or has mistakes.
  public static let testsWorkflow = "tests.workflow"

  // Codes of runs.
  /// A case has no answer for a call.
  public static let testsNoAnswer = "tests.noAnswer"
}
