"""A repository of a registry: a source and a target of copies, with the verbs of a layout.

A tag resolves to the digest of its bytes, or to the digest that the registry states; everything
that is read by a descriptor is verified against it. The catalog of a registry is left out, as it is
not part of the distribution-spec.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ocilayout.errors import InvalidNameError, ReferenceNotFoundError
from ocilayout.model import (
    DEFAULT_LIMITS,
    DOCKER_HUB,
    Descriptor,
    Digest,
    Limits,
    Reference,
    decode_document,
    document_type,
    encode,
    is_digest,
    require_document_type,
    require_tag,
)
from ocilayout.registry.address import is_loopback, origin
from ocilayout.registry.page import list_tags
from ocilayout.registry.referrer_list import list_referrers, read_subject, remove_referrer
from ocilayout.registry.repository_blobs import RepositoryBlobs
from ocilayout.registry.response import ANY_MANIFEST
from ocilayout.registry.session import HEAD_ANSWERED, OK_OR_MISSING, Session
from ocilayout.registry.transport import Transport
from ocilayout.registry.trust import Trust
from ocilayout.signature import checked

if TYPE_CHECKING:
    import os
    from typing import Self

    from ocilayout.model import Document
    from ocilayout.registry.address import Proxies
    from ocilayout.registry.credential import CredentialFinder, Credentials
    from ocilayout.registry.patience import Patience, Timeouts
    from ocilayout.registry.trust import File

_DOCKER_HUB_API: Final = "registry-1.docker.io"


@checked
class Repository:
    """A repository of a registry; safe to use from several threads.

    Every method that asks the registry raises `RegistryError` if it refuses or fails, of which
    `AuthError`, `RateLimitedError` and `TransportError` are kinds, and `UnsupportedDigestError` for
    a digest whose algorithm cannot be computed here. Below, only further errors are listed.

    Args:
        name: Host and path, such as `ghcr.io/org/skill`; also an attribute.
        plain_http: Whether to use http, which does not encrypt credentials either. `None`: http
            for loopback hosts, https for all others.
        credentials: The credentials; a function that finds them once the registry asks, such as
            `find_credentials`; or `None` for anonymous access.
        ca_certs: A PEM file of the authorities to trust; those of the operating system if
            `None`.
        client_cert: A PEM file with a client certificate and its key, or two such files.
        certs: A folder of certificates as Docker keeps for each registry, which `find_certs`
            finds: `*.crt` are authorities to trust in addition, `*.cert` is a client
            certificate and `*.key` its key.
        proxies: The proxies to use; those of the environment if `None`.
        timeout: The longest waits, in seconds; a number stands for each of them.
        patience: When to send requests again, and how often.
        limits: How large and how many documents may be.
        chunk_size: The size of the chunks that blobs are sent in, in bytes; `None` sends them
            in one piece.

    Attributes:
        blobs: The content by digests.

    Raises:
        InvalidNameError: The name is outside the grammar, or has a tag or a digest; or a proxy
            is not an address.
        OSError: A file of certificates cannot be read or has none.
        ValueError: A timeout or the size of chunks is not above 0.
    """

    def __init__(  # noqa: PLR0913 # each is an option by its name
        self,
        name: str,
        *,
        plain_http: bool | None = None,
        credentials: Credentials | CredentialFinder | None = None,
        ca_certs: str | os.PathLike[str] | None = None,
        client_cert: File | tuple[File, File] | None = None,
        certs: str | os.PathLike[str] | None = None,
        proxies: Proxies | None = None,
        timeout: float | Timeouts = 30.0,
        patience: Patience | None = None,
        limits: Limits = DEFAULT_LIMITS,
        chunk_size: int | None = None,
    ) -> None:
        reference = Reference.parse(name)
        if reference.tag is not None or reference.digest is not None:
            raise InvalidNameError(
                f"{name!r} names more than a repository; leave out the tag and the digest and give"
                " them to resolve"
            )
        self.name = str(reference)
        host = reference.host
        loopback = is_loopback(re.sub(r":[0-9]+$", "", host))
        if host == DOCKER_HUB:
            host = _DOCKER_HUB_API
        encrypted = not loopback if plain_http is None else not plain_http
        registry = f"{'https' if encrypted else 'http'}://{host}"
        try:
            origin(registry)
        except ValueError:
            reason = "the port is above 65535 or the IPv6 address is not valid"
            raise InvalidNameError(f"{registry} is not an address: {reason}") from None
        transport = Transport(
            registry=registry,
            trust=Trust(ca_certs=ca_certs, client_cert=client_cert, folder=certs),
            timeout=timeout,
            patience=patience,
            proxies=proxies,
        )
        self._session = Session(
            transport,
            registry=registry,
            repository=reference.repository,
            name=self.name,
            credentials=credentials,
            plain_http=plain_http is True,
            limits=limits,
        )
        self.blobs = RepositoryBlobs(self._session, chunk_size=chunk_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Repository({self.name!r})"

    def close(self) -> None:
        """Close the connections that are not in use; an open stream stays open."""
        self._session.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of the registry so far, each text once, for people to read.

        Spec: distribution:warnings.
        """
        return self._session.warnings

    def ping(self) -> None:
        """Check that the host is a registry of this API and accepts the credentials.

        Raises:
            RegistryError: It is not a registry.

        Spec: distribution:version.
        """
        url = f"{self._session.registry}/v2/"
        with self._session.request("GET", url, accept={HTTPStatus.OK}) as response:
            response.drain()

    def tags(self) -> tuple[str, ...]:
        """Return all tags, sorted bytewise.

        Raises:
            LimitExceededError: There are too many.
            RegistryError: There is no such repository, or the list cannot be read or does not end.

        Spec: distribution:tags.
        """
        return tuple(sorted(list_tags(self._session), key=str.encode))

    def resolve(self, name_or_digest: Digest | str) -> Descriptor:
        """Return the plain descriptor of a tag or a digest.

        The digest of a tag is the one that the registry states, if it states one; the content is
        verified when it is read.

        Args:
            name_or_digest: A tag, or the digest of a manifest or an index.

        Raises:
            InvalidNameError: The text is not a tag or a digest.
            ReferenceNotFoundError: The registry has no such manifest.
            DigestMismatchError: The registry answers with something else.
            LimitExceededError: The manifest is too large.
            RegistryError: The registry answers with something else than a manifest.

        Spec: distribution:head, distribution:reference, distribution:docker-headers,
            distribution:older-registries.
        """
        name, wanted = _parse_manifest_name(name_or_digest)
        response = self._session.request(
            "HEAD",
            f"manifests/{name}",
            accept=HEAD_ANSWERED,
            headers={"Accept": ANY_MANIFEST},
        )
        if response.status == HTTPStatus.NOT_FOUND:
            raise self._missing(name)
        descriptor = None
        if response.status == HTTPStatus.OK:
            descriptor = response.describe_manifest(wanted)
        return self.fetch(name)[1] if descriptor is None else descriptor

    def fetch(self, name_or_digest: Digest | str) -> tuple[bytes, Descriptor]:
        """Return the manifest or index of a tag or a digest, in one round trip.

        Args:
            name_or_digest: As for `resolve`.

        Returns:
            The bytes, and the plain descriptor that they were verified against.

        Raises:
            OciLayoutError: As for `resolve`.

        Spec: distribution:reference, distribution:verify-manifest.
        """
        name, wanted = _parse_manifest_name(name_or_digest)
        with self._session.request(
            "GET",
            f"manifests/{name}",
            accept=OK_OR_MISSING,
            headers={"Accept": ANY_MANIFEST},
        ) as response:
            if response.status == HTTPStatus.NOT_FOUND:
                raise self._missing(name)
            return response.read_manifest(wanted)

    def referrers(
        self, digest: Digest | str, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """Return the referrers of a subject: signatures, bills of materials and such.

        In a registry without the referrers API they are in the list under the fallback tag of the
        distribution-spec, `sha256-<hex>`.

        Args:
            digest: The digest of the subject, which need not be in the repository.
            artifact_type: Return only referrers of this type.

        Returns:
            Descriptors with the artifact type and the annotations that the registry states for each
            manifest, each digest once, in the registry's order.

        Raises:
            DocumentError: The digest is not valid.
            LimitExceededError: There are too many.
            RegistryError: The list cannot be read or is endless.

        Spec: distribution:referrers.
        """
        return list_referrers(self._session, Digest.parse(digest), artifact_type)

    def read_manifest(self, descriptor: Descriptor) -> Document:
        """Return a manifest or an index, verified.

        Raises:
            BlobNotFoundError: The repository does not have it.
            IntegrityError: It is not what the descriptor says.
            DocumentError: It breaks the specification, or the descriptor is of something else.
            LimitExceededError: It is too large.

        Spec: distribution:verify-manifest, considerations:property-types.
        """
        require_document_type(descriptor)
        return decode_document(self.blobs.read(descriptor), descriptor)

    def put_manifest(
        self,
        document: Document | bytes,
        *,
        media_type: str | None = None,
        algorithm: str = "sha256",
    ) -> Descriptor:
        """Send a manifest or an index under its digest, and return its plain descriptor.

        Args:
            document: The model, or bytes that are sent as they are.
            media_type: The media type; by default what the document says or its properties show.
            algorithm: The algorithm of the digest. A registry need not know any but sha256.

        Raises:
            DocumentError: The document breaks the specification or has another media type.
            LimitExceededError: The document is too large.
            IntegrityError: The registry says that it stored something else.
            RegistryError: The registry may lack content that the document refers to.

        Spec: distribution:reference.
        """
        data = document if isinstance(document, bytes) else encode(document)
        descriptor = Descriptor.of(data, media_type or document_type(data), algorithm)
        self.blobs.send_manifest(data, descriptor, name=str(descriptor.digest))
        return descriptor

    def tag(self, name: str, target: Descriptor | Digest | str) -> None:
        """Tag a manifest or an index of the repository, replacing what the tag pointed to.

        Args:
            name: The tag.
            target: A descriptor, a digest, or a digest as text.

        Raises:
            InvalidNameError: The name is not a tag, or the target is text and not a digest.
            NotFoundError: The repository does not have the target.
            DocumentError: The target is not a manifest or an index.
            IntegrityError: The registry has something else under the target's digest, or says that
                it tagged something else.
            RegistryError: The registry does not tag digests of this algorithm; nothing is tagged.

        Spec: distribution:tag, distribution:digest-and-tag.
        """
        require_tag(name)
        if isinstance(target, str) and not is_digest(target):
            raise InvalidNameError(
                f"{target!r} is not a valid digest; resolve a tag first, and give its descriptor"
            )
        if not isinstance(target, Descriptor):
            target = self.resolve(target)
        require_document_type(target)
        self.blobs.send_manifest(self.blobs.read(target), target, name=name)

    def untag(self, name: str) -> None:
        """Remove a tag, and keep its content.

        Raises:
            InvalidNameError: The name is not a tag.
            ReferenceNotFoundError: There is no such tag.
            RegistryError: Many registries do not do it.

        Spec: distribution:delete-done.
        """
        require_tag(name)
        if not self._session.delete(f"manifests/{name}"):
            raise self._missing(name)

    def delete(self, target: Descriptor | Digest | str) -> None:
        """Delete a manifest or an index with all its tags, and keep the content it refers to.

        If it has a subject, in a registry without the referrers API, it is removed from the list of
        that subject's referrers. Content that cannot be read or decoded is deleted as well; the
        subject is then known if the content is JSON with the digest that was asked for.

        Args:
            target: A descriptor, a digest, or a digest as text.

        Raises:
            InvalidNameError: The target is text and not a digest; `untag` removes a tag.
            ReferenceNotFoundError: The repository does not have it.
            RegistryError: Many registries do not delete; or the list of referrers could not be
                changed.

        Spec: distribution:delete, distribution:delete-done.
        """
        digest = target.digest if isinstance(target, Descriptor) else target
        if not is_digest(str(digest)):
            raise InvalidNameError(f"{digest!r} is not a valid digest; untag removes a tag")
        digest = Digest.parse(digest)
        subject = read_subject(self._session, digest)
        if not self._session.delete(f"manifests/{digest}"):
            raise self._missing(str(digest))
        if subject is not None:
            remove_referrer(self._session, subject, digest)

    def _missing(self, name: str) -> ReferenceNotFoundError:
        return ReferenceNotFoundError(f"{self.name} has no manifest {name}")


def _parse_manifest_name(name: Digest | str) -> tuple[str, Digest | None]:
    """Return the name that ends a path, and the digest if it is one.

    Raises:
        InvalidNameError: The name is not a tag or a digest.
    """
    if is_digest(str(name)):
        return str(name), Digest.parse(name)
    require_tag(str(name))
    return str(name), None
