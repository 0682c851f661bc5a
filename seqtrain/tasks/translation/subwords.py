"""Subwords by byte-pair encoding, with sentencepiece, which is loaded when they are first needed."""

import base64
import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqtrain.batch import BOS, EOS, PAD, UNK
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.tasks.vocabulary import SPECIALS


class Subwords:
    """Pieces of words, learned so that frequent words are one piece (Sennrich et al. 2016; Kudo and Richardson 2018).

    Nothing is normalised away: what is encoded and decoded comes back as it was, except characters that the training
    texts lack.
    """

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._processor = SentencePieceProcessor(model_proto=model)

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> "Subwords":
        """Learns so many pieces, the four special symbols and single characters included.

        Raises:
            ConfigError: If the texts don't hold that many, or more characters.
        """
        from sentencepiece import SentencePieceTrainer

        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type="bpe",
                vocab_size=size,
                character_coverage=1.0,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=1 << 24,  # in bytes; longer texts would be left out
                num_threads=1,
                minloglevel=2,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                pad_piece=SPECIALS[PAD],
                unk_piece=SPECIALS[UNK],
                bos_piece=SPECIALS[BOS],
                eos_piece=SPECIALS[EOS],
                unk_surface="\ufffd",
            )
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2].strip() or str(error)
            raise ConfigError(f"task.max_vocab_size={size}: not with these texts: {reason}") from None
        return cls(model.getvalue())

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The ids of each text; none of them is blank."""
        return [np.array(ids, np.int64) for ids in self._processor.encode(list(texts))]

    def pieces(self, ids: NDArray[np.int64]) -> list[str]:
        """What each id stands for; a low line stands for a blank."""
        return [self._processor.id_to_piece(identity) for identity in ids.tolist()]

    def decode(self, ids: NDArray[np.int64]) -> str:
        """The text that the ids spell."""
        return str(self._processor.decode(ids.tolist()))

    def to_json(self) -> dict[str, Any]:
        """The model as plain JSON content: its file in base64."""
        return {"sentencepiece": base64.b64encode(self._model).decode()}

    @classmethod
    def from_json(cls, content: object) -> "Subwords":
        """The subwords that `to_json` gave.

        Raises:
            CheckpointError: If the content is not what `to_json` gives.
        """
        encoded = content.get("sentencepiece") if isinstance(content, dict) else None
        if isinstance(encoded, str) and encoded:
            with suppress(ValueError, RuntimeError):
                return cls(base64.b64decode(encoded, validate=True))
        raise CheckpointError('this is no vocabulary: "sentencepiece" should hold a model in base64')
