/// The names of events in the store's own streams, apart from the streams of sagas or samples.
public enum ReservedEvents {
  /// The event publisher was rewound: it publishes events again from an earlier position.
  public static let echoRewound = "echoRewound"
}
