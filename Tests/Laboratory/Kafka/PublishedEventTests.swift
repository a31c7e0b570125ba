import JSON
import Messaging
import Persistence
import Streaming
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The published events of the laboratory", .timeLimit(.minutes(15)), .inTurn)
struct PublishedEventTests {
  static let topics = LabKafka.Topics()

  /// Each type of event, as far as the commands make it.
  @Test("Every event that the commands store is published on its service's topic, under its thing's id")
  func everyType() async throws {
    var everything: [StoredEvent] = []
    for command in CommandCase.all {
      let lab = try await LabBench()
      for one in command.before + [command] {
        _ = try await lab.send(one.method, one.path, one.body, key: one.key, compensates: one.compensates, saga: "saga")
      }
      everything += try await lab.everything()
      await lab.participants.close()
    }
    let lab = try await LabBench()
    // Undos that come first: of what would be created, and of what would not.
    _ = try await lab.send("DELETE", LabBench.sample("x"), key: "1", compensates: "x")
    _ = try await lab.send("DELETE", LabBench.sample("x") + "/validation", key: "2", compensates: "y")
    _ = try await lab.send("DELETE", LabBench.allocation("x"), key: "3", compensates: "x")
    _ = try await lab.send("DELETE", LabBench.allocation("x") + "/content", key: "4", compensates: "y")
    let (run, message) = (UniqueID.named("x"), UniqueID.named("x"))
    _ = try await lab.send("DELETE", "/sequencing/runs/\(run)", key: "5", compensates: "x")
    _ = try await lab.send("DELETE", "/sequencing/runs/\(run)/load", key: "6", compensates: "y")
    _ = try await lab.send("DELETE", "/notification/messages/\(message)", key: "7", compensates: "x")
    _ = try await lab.send("DELETE", "/notification/messages/\(message)", key: "8", compensates: "y")
    let kit = "/sequencing/kits/\(UniqueID.named("x"))"
    _ = try await lab.send("DELETE", kit, key: "9", compensates: "x2")
    _ = try await lab.send("DELETE", kit + "/thaw", key: "10", compensates: "y2")
    let reservation = UniqueID.named("x")
    for (number, path) in [
      "plates/QC-X/reservations/\(reservation)", "measurements/\(reservation)/X/fluorometer",
      "decisions/\(reservation)/X",
    ].enumerated() {
      _ = try await lab.send("DELETE", "/qc/\(path)", key: "q\(number)", compensates: "x\(number)")
      _ = try await lab.send("DELETE", "/qc/\(path)", key: "r\(number)", compensates: "y\(number)")
    }
    for (number, path) in ["jobs", "copies"].enumerated() {
      let path = "/pipeline/\(path)/\(reservation)"
      _ = try await lab.send("DELETE", path, key: "s\(number)", compensates: "v\(number)")
      _ = try await lab.send("DELETE", path, key: "t\(number)", compensates: "w\(number)")
    }
    for (number, path) in [
      "library-prep/plates/\(reservation)", "library-prep/libraries/\(reservation)",
      "library-prep/lots/LOT-X/reservations/\(reservation)",
      "library-prep/tag-plates/TAG-X/reservations/\(reservation)",
      "pooling/libraries/X", "pooling/libraries/X/locks/\(reservation)", "pooling/pools/\(reservation)",
      "sequencing/flow-cells/X", "sequencing/flow-cells/X/reservations/\(reservation)",
    ].enumerated() {
      _ = try await lab.send("DELETE", "/\(path)", key: "a\(number)", compensates: "b\(number)")
      _ = try await lab.send("DELETE", "/\(path)", key: "c\(number)", compensates: "d\(number)")
    }
    everything += try await lab.everything()

    let service: [String: LabService] = [
      "sample": .samples, "allocation": .storage, "run": .sequencing, "message": .notification,
      "accession": .accession, "kit": .sequencing, "plate": .qc, "measurement": .qc, "decision": .qc,
      "job": .pipeline, "copy": .pipeline, "delivery": .pipeline, "lot": .libraryPrep, "tagPlate": .libraryPrep,
      "prepPlate": .libraryPrep, "library": .libraryPrep, "stock": .pooling, "pool": .pooling,
      "flowCell": .sequencing,
    ]
    let names = [
      "sample": ["s", "x"], "allocation": ["al", "x"], "run": ["r", "x"], "message": ["m", "x"], "accession": ["q"],
      "kit": ["k", "x"], "job": ["j", "x"], "copy": ["c", "x"], "delivery": ["d"],
      "prepPlate": ["shearing", "ligation", "pcr", "clean-up", "x"], "library": ["l", "x"],
      "pool": ["p", "x"],
    ]
    // The ids of quality control, of lots and of tag plates follow from names.
    let measured = [("QC-1", "TS-1", UniqueID.named("rv")), ("QC-X", "X", reservation)].flatMap { plate, sample, id in
      [WellPlate.id(of: plate), QualityDecision.id(of: sample, in: id)]
        + Measurement.Instrument.allCases.map { Measurement.id(of: sample, in: id, on: $0) }
    }
    // So do those of libraries in pooling and of flow cells.
    let lots = ["LIG-7", "LOT-X"].map { ReagentLot.id(of: $0) } + ["TAG-42", "TAG-X"].map { TagPlate.id(of: $0) }
    let byBarcode = ["L-1", "X"].map { LibraryStock.id(of: $0) } + ["FC-7", "X"].map { FlowCell.id(of: $0) }
    let derived = (measured + lots + byBarcode).map(\.description)
    var types: Set<String> = []
    for stored in everything {
      types.insert(stored.type)
      let published = try #require(try EchoedEvent(stored, on: Self.topics))
      let event = published.event
      #expect(event.type == stored.type && event.data == stored.data && event.time == stored.recordedAt)
      #expect(event.id == "\(stored.stream)/\(stored.version)" && event.subject == published.key)
      #expect(event.value(ofExtension: "shard") == "\(stored.shard)")
      #expect(event.value(ofExtension: "position") == "\(stored.position)")
      #expect(event.dataContentType == "application/json")
      guard let of = stored.type.split(separator: ".").first.map(String.init), let its = service[of] else { continue }
      #expect(published.topic == Self.topics[.events(its)] && event.source == "/laboratory/\(its.rawValue)")
      var known = derived
      if its != .qc, !["lot", "tagPlate", "stock", "flowCell"].contains(of) {
        known = try #require(names[of]).map { UniqueID.named($0).description }
      }
      let made = ["samples/key/samples.create without an id", "pipeline/key/pipeline.startJob that adds to another"]
        .map { UniqueID.derived(from: $0).description }
      #expect((known + made).contains(published.key), "\(stored.type): \(published.key)")
      let key = try #require(event.value(ofExtension: "causationid"))
      #expect(event.value(ofExtension: "correlationid") == (key.hasPrefix("key/") ? "saga" : nil))
      #expect(event.value(ofExtension: "userid") == (key.hasPrefix("key/") ? "saga" : "anonymous"))
      #expect(event.value(ofExtension: "tenantid") == "default")
    }
    #expect(
      types == [
        "sample.created", "sample.validated", "sample.validationReverted", "sample.aliquoted", "sample.aliquotVoided",
        "sample.labelPrinted", "sample.labelVoided", "sample.voided", "sample.undoneBefore", "sample.undoNoted",
        "allocation.allocated", "allocation.stored", "allocation.moved", "allocation.removed", "allocation.released",
        "allocation.undoneBefore", "allocation.undoNoted",
        "run.scheduled", "run.laneBooked", "run.laneReleased", "run.loaded", "run.unloaded", "run.started",
        "run.eventRecorded", "run.completed", "run.cancelled", "run.undoneBefore", "run.undoNoted",
        "message.sent", "message.corrected", "message.undoneBefore", "message.undoNoted",
        "kit.taken", "kit.thawed", "kit.writtenOff", "kit.returned", "kit.undoneBefore", "kit.undoNoted",
        "accession.requested", "plate.wellsReserved", "plate.wellsReleased", "plate.undoNoted", "measurement.booked",
        "measurement.recorded", "measurement.failed", "measurement.cancelled", "measurement.undoneBefore",
        "measurement.undoNoted", "decision.evaluated", "decision.answered", "decision.recorded", "decision.withdrawn",
        "decision.undoneBefore", "decision.undoNoted", "job.started", "job.deleted", "job.readsReported",
        "job.finished", "job.failed",
        "job.undoneBefore", "job.undoNoted", "copy.copied", "copy.deleted", "copy.undoneBefore", "copy.undoNoted",
        "delivery.delivered", "lot.received", "lot.reserved", "lot.consumed", "lot.released", "lot.writtenOff",
        "lot.discarded", "lot.undoNoted", "tagPlate.received", "tagPlate.reserved", "tagPlate.consumed",
        "tagPlate.released", "tagPlate.discarded", "tagPlate.undoNoted", "prepPlate.made", "prepPlate.bedChecked",
        "prepPlate.finished", "prepPlate.failed", "prepPlate.discarded", "prepPlate.undoneBefore",
        "prepPlate.undoNoted", "library.started", "library.cancelled", "library.made", "library.qcBooked",
        "library.measured", "library.undoneBefore", "library.undoNoted",
        "stock.received", "stock.discarded", "stock.locked", "stock.unlocked", "stock.diluted",
        "stock.dilutionDiscarded", "stock.undoneBefore", "stock.undoNoted", "pool.opened", "pool.dissolved",
        "pool.checked", "pool.mixed", "pool.measured", "pool.sheetWritten", "pool.undoneBefore", "pool.undoNoted",
        "flowCell.received", "flowCell.discarded", "flowCell.lanesReserved", "flowCell.lanesReleased", "flowCell.used",
        "flowCell.undoneBefore", "flowCell.undoNoted", "furniture.locationSetUp", "furniture.instrumentSetUp",
      ])
    await lab.participants.close()
  }

  @Test("Events of equipment are published on their service's topic, under the equipment's name")
  func equipment() async throws {
    let layout = LaboratoryLayout(
      locations: [.init(name: "C4-1", zone: .plus4, boxes: 1, largestTube: Volume(nanolitres: 50_000_000))],
      instruments: [.init(name: "SEQ", flowCells: ["FC1"], lanesPerFlowCell: 2)])
    let lab = try await LabBench(layout: layout)
    let published = try await lab.everything().compactMap { try EchoedEvent($0, on: Self.topics) }
    #expect(published.map(\.topic) == ["laboratory.storage.events", "laboratory.sequencing.events"])
    #expect(published.map(\.key) == ["C4-1", "SEQ"])
    #expect(published.map(\.event.source) == ["/laboratory/storage", "/laboratory/sequencing"])
    #expect(published.allSatisfy { $0.event.value(ofExtension: "userid") == "laboratory" })
    await lab.participants.close()
  }

  @Test("Events that were stored before their subject was kept can still be read")
  func old() throws {
    let meta = #"{"userId":"saga","tenantId":"default","correlationId":"saga","causationId":"k"}"#
    let id = UniqueID.named("s")
    let tube = #"{"id":"\#(id)","barcode":"TS-1","type":"blood","volumeMl":4.5,"volumeNl":4500000}"#
    let created = try #require(try EchoedEvent(stored("sample.created", tube, meta), on: Self.topics))
    #expect(created.key == id.description)
    // An aliquot's id isn't its sample's.
    let aliquot = #"{"id":"\#(UniqueID.named("a"))","barcode":"TS-1-A","volumeNl":1}"#
    for (type, data) in [("sample.voided", "{}"), ("sample.aliquoted", aliquot)] {
      let published = try #require(try EchoedEvent(stored(type, data, meta), on: Self.topics))
      #expect(published.key == UniqueID.named("stream").description)
    }
    let unknown = #expect(throws: UnreadableEvent.self) {
      try EchoedEvent(stored("freezer.melted", "{}", meta), on: Self.topics)
    }
    #expect(unknown?.code == LabErrorCode.unreadableEvent)
    #expect(try EchoedEvent(stored("echoRewound", "{}", meta), on: Self.topics) == nil)
  }

  @Test("Topics are named by their use; an invalid or repeated name is refused")
  func names() throws {
    var topics = LabKafka.Topics()
    try topics.check()
    #expect(LabKafka.Topics.Role.allCases.count == 19)
    for role in LabKafka.Topics.Role.allCases { #expect(LabKafka.Topics.Role(role.description) == role) }
    #expect(LabKafka.Topics.Role("samples.answers") == nil)
    #expect(topics[.commands(.samples)] == "laboratory.samples.commands")
    #expect(topics[.events(.samples)] == "laboratory.sample.events")
    topics[.deadLetter] = "laboratory.sample.events"
    #expect(throws: KafkaError.self) { try topics.check() }
    for wrong in ["", "a b", "..", String(repeating: "a", count: 250)] {
      topics[.deadLetter] = wrong
      #expect(throws: KafkaError.self, "\(wrong)") { try topics.check() }
    }
    topics[.deadLetter] = String(repeating: "a", count: 249)
    try topics.check()
  }

  private func stored(_ type: String, _ data: String, _ meta: String) -> StoredEvent {
    StoredEvent(
      stream: .named("stream"), version: 2, shard: 7, position: 12, type: type, data: Array(data.utf8),
      meta: Array(meta.utf8), appendID: .named("append"), hash: [], chain: nil, recordedAt: Timestamp(milliseconds: 0))
  }
}

extension LabBench {
  /// Every event in the store.
  func everything() async throws -> [StoredEvent] {
    var events: [StoredEvent] = []
    for shard in 0..<store.shardCount { events += try await store.tail(shard: shard, after: 0, limit: 1_000) }
    return events
  }
}
