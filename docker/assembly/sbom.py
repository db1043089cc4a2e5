"""The software bill of materials, in CycloneDX's JSON."""

from __future__ import annotations

from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as Entry
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from docker.assembly.components import Component

TYPES = {
    "application": ComponentType.APPLICATION,
    "library": ComponentType.LIBRARY,
    "model": ComponentType.MACHINE_LEARNING_MODEL,
}


def bill_of_materials(components: Iterable[Component]) -> str:
    """Return the document. The one application among the components is what the document describes."""
    entries = {component.purl: (component, _entry(component)) for component in components}
    applications = [entry for component, entry in entries.values() if component.kind == "application"]
    (application,) = applications
    bom = Bom()
    bom.metadata.component = application
    bom.components = [entry for _, entry in entries.values() if entry is not application]
    for component, entry in entries.values():
        bom.register_dependency(entry, [entries[purl][1] for purl in sorted(component.needs)])
    rest = [entry for _, entry in entries.values() if entry is not application]
    bom.register_dependency(application, rest)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def _entry(component: Component, owner: str = "") -> Entry:
    licences = [] if component.licence == "NOASSERTION" else [LicenseFactory().make_from_string(component.licence)]
    return Entry(
        name=component.name,
        version=component.version,
        type=TYPES[component.kind],
        bom_ref=owner + component.purl,
        purl=PackageURL.from_string(component.purl),
        licenses=licences,
        components=[_entry(part, f"{component.purl}/") for part in component.parts],
    )
