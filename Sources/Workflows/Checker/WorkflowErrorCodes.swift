/// The error codes for workflows, their templates and their values. Each code has a page in `docs/errors/`.
public enum WorkflowErrorCode {
  // The file.
  public static let tooLarge = "workflow.tooLarge"
  public static let tooManySteps = "workflow.tooManySteps"
  public static let wrongType = "workflow.wrongType"
  public static let unknownKey = "workflow.unknownKey"
  public static let missingKey = "workflow.missingKey"
  public static let badValue = "workflow.badValue"
  public static let badName = "workflow.badName"
  public static let badDuration = "workflow.badDuration"
  public static let notYetSupported = "workflow.notYetSupported"

  // Steps and their graph.
  public static let noAction = "workflow.noAction"
  public static let manyActions = "workflow.manyActions"
  public static let duplicateStep = "workflow.duplicateStep"
  public static let unknownStep = "workflow.unknownStep"
  public static let selfDependency = "workflow.selfDependency"
  public static let cycle = "workflow.cycle"
  public static let unknownService = "workflow.unknownService"
  public static let needsKafka = "workflow.needsKafka"
  public static let badPath = "workflow.badPath"
  public static let badHeader = "workflow.badHeader"
  public static let tooSlow = "workflow.tooSlow"
  public static let badInvariant = "workflow.badInvariant"

  // The values that expressions read.
  public static let unknownRoot = "workflow.unknownRoot"
  public static let unknownMember = "workflow.unknownMember"
  public static let stepNotBefore = "workflow.stepNotBefore"
  public static let neverHolds = "workflow.neverHolds"
  public static let unguardedRead = "workflow.unguardedRead"
  public static let undoReadsOutput = "workflow.undoReadsOutput"
  public static let itemOutsideForEach = "workflow.itemOutsideForEach"

  // Warnings.
  public static let mayBeTooSlow = "workflow.mayBeTooSlow"
  public static let notEnforced = "workflow.notEnforced"
  public static let noCompensation = "workflow.noCompensation"
  public static let parallelPivots = "workflow.parallelPivots"
  public static let pivotWithWhen = "workflow.pivotWithWhen"
  public static let pivotContinues = "workflow.pivotContinues"
  public static let undoBehindPivot = "workflow.undoBehindPivot"
  public static let pollChanges = "workflow.pollChanges"
  public static let signalsAlike = "workflow.signalsAlike"
  public static let noEffect = "workflow.noEffect"
  public static let existence = "workflow.existence"
  public static let foreignExpression = "workflow.foreignExpression"
  public static let takesMany = "workflow.takesMany"
  public static let undeclaredInput = "workflow.undeclaredInput"
  public static let turnsOffRetry = "workflow.turnsOffRetry"
  public static let readsEveryStep = "workflow.readsEveryStep"

  // Templates.
  public static let templateUnclosed = "template.unclosed"
  public static let templateEmpty = "template.empty"
  public static let templateTooDeep = "template.tooDeep"

  // Values at run time.
  public static let expressionEmpty = "expression.empty"
  public static let expressionMany = "expression.many"
  public static let expressionNotText = "expression.notText"
  public static let expressionNotSegment = "expression.notSegment"
  public static let expressionNotHeader = "expression.notHeader"
  public static let expressionWrongType = "expression.wrongType"
  public static let expressionBadArgument = "expression.badArgument"
  public static let expressionArithmetic = "expression.arithmetic"
  public static let expressionBudget = "expression.budget"
  public static let renderingTooLarge = "rendering.tooLarge"
}
