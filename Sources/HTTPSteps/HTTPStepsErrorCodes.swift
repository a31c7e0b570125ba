import SagaCore

extension EngineErrorCode {
  // Of an answer whose status says that the step happened: why it gives no value.
  public static let answerNotJSON = "http.answerNotJSON"
  public static let answerNotText = "http.answerNotText"
  public static let answerCut = "http.answerCut"
}
