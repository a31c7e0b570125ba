import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("An allocation", .timeLimit(.minutes(15)), .inTurn)
struct AllocationTests {
  typealias Spec = AggregateSpec<Allocation>
  static let first = PositionName(box: "C4-1/B01", well: 0)
  static let second = PositionName(box: "C4-1/B01", well: 1)
  static let request = Allocation.Request(
    id: .named("allocation"), sampleID: "s-1", barcode: "TS-1", type: .blood, zone: .plus4,
    volume: Volume(nanolitres: 1_000_000))
  static let allocated = AllocationEvent.allocated(request, position: first)
  static let stored = AllocationEvent.stored(position: first)
  static let released = AllocationEvent.released(position: first, sampleID: "s-1")

  @Test func allocates() {
    let command = Allocation.Command.allocate(Self.request, position: Self.first)
    Spec.given().when(command).then(Self.allocated)
    Spec.given(Self.allocated).when(command).thenRefused("lab.exists", 409)
    Spec.given(Self.allocated, Self.released).when(command).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(command).thenRefused("lab.undoneBefore", 410)
  }

  @Test(arguments: SampleType.allCases, Zone.allCases)
  func `a sample goes only where its temperature allows`(type: SampleType, zone: Zone) {
    var request = Self.request
    request.type = type
    request.zone = zone
    let outcome = Spec.given().when(.allocate(request, position: Self.first))
    if type.zones.contains(zone) {
      outcome.then(.allocated(request, position: Self.first))
    } else {
      outcome.thenRefused("storage.temperature", 422)
    }
  }

  @Test func stores() {
    Spec.given(Self.allocated).when(.store(sampleID: "s-1", barcode: "TS-1")).then(Self.stored)
    Spec.given(Self.allocated).when(.store(sampleID: nil, barcode: nil)).then(Self.stored)
    Spec.given(Self.allocated).when(.store(sampleID: nil, barcode: "TS-2")).thenRefused("storage.wrongState", 409)
    Spec.given(Self.allocated).when(.store(sampleID: "s-2", barcode: nil)).thenRefused("storage.wrongState", 409)
    Spec.given(Self.allocated, Self.stored).when(.store(sampleID: nil, barcode: nil))
      .thenRefused("storage.wrongState", 409)
    Spec.given().when(.store(sampleID: nil, barcode: nil)).thenRefused("lab.unknown", 404)
  }

  @Test func `a tube is removed before its position is released`() {
    Spec.given(Self.allocated, Self.stored).when(.release).thenRefused("storage.wrongState", 409)
    Spec.given(Self.allocated, Self.stored).when(.remove).then(.removed(position: Self.first))
    Spec.given(Self.allocated, Self.stored, .removed(position: Self.first)).when(.release).then(Self.released)
    Spec.given(Self.allocated).when(.remove).thenRefused("lab.gone", 410)
    Spec.given(Self.allocated, Self.released).when(.release).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.release).thenRefused("lab.gone", 410)
  }

  @Test func moves() {
    Spec.given(Self.allocated).when(.move(to: Self.second, zone: .plus4))
      .then(.moved(from: Self.first, to: Self.second, zone: .plus4))
    Spec.given(Self.allocated).when(.move(to: Self.second, zone: .nitrogen)).thenRefused("storage.temperature", 422)
    Spec.given(Self.allocated).when(.move(to: Self.first, zone: .plus4)).thenRefused("storage.wrongState", 409)
    Spec.given(Self.allocated, .moved(from: Self.first, to: Self.second, zone: .minus20)).when(.release)
      .then(.released(position: Self.second, sampleID: "s-1"))
  }

  @Test func `a position is claimed and let go`() {
    let moved = AllocationEvent.moved(from: Self.first, to: Self.second, zone: .plus4)
    #expect(Self.allocated.claims == [LabClaim(.position, "C4-1/B01/A01"), LabClaim(.heldSample, "s-1")])
    #expect(Self.released.releases == Self.allocated.claims)
    #expect(moved.claims == [LabClaim(.position, "C4-1/B01/A02")])
    #expect(moved.releases == [LabClaim(.position, "C4-1/B01/A01")])
  }

  @Test func stored() throws {
    let events: [AllocationEvent] = [
      Self.allocated, .undoneBefore, Self.stored, .moved(from: Self.first, to: Self.second, zone: .minus80),
      .removed(position: Self.first), Self.released, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }

  @Test func `wells have names`() {
    let names = (0..<96).map { PositionName(box: "F/B01", well: $0).description }
    #expect(names.first == "F/B01/A01" && names[11] == "F/B01/A12" && names[12] == "F/B01/B01")
    #expect(names.last == "F/B01/H12")
    #expect(names.compactMap { PositionName($0)?.well } == Array(0..<96))
    #expect(PositionName("F/B01/I01") == nil && PositionName("F/B01/A13") == nil && PositionName("A") == nil)
  }
}
