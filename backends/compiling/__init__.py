"""From a request to an artefact that was checked."""
