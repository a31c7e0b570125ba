import SagaCore

extension EngineErrorCode {
  // The reasons why a successful answer gives no value.
  public static let answerNotJSON = "http.answerNotJSON"
  public static let answerNotText = "http.answerNotText"
  public static let answerCut = "http.answerCut"
}
