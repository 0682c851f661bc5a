"""What a user asks of whatever writes steps that follow one another."""

from dataclasses import dataclass

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.spec import Align, Symbols, TaskSpec

OF_TEACHING = ("teacher_forcing", "teacher_forcing_end", "teacher_forcing_steps")
OF_BEAMS = ("beam_size", "length_penalty")
OF_DRAWING = ("temperature", "top_k", "top_p")


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """How a sequence is written, and how that is taught; None stands for an option that was left alone.

    Attributes:
        rolled: On forecasts, whether each step is fed back to forecast the next; None and false forecast all at once.
        teacher_forcing: Chance that training tells the true step before the one that is asked for, drawn for each
            step and sequence, instead of the model's own (Bengio 2015, arXiv 1506.03099). None is 1, of forecasts 0.
        teacher_forcing_end: What that chance comes down to, in a straight line; None keeps it.
        teacher_forcing_steps: Optimizer steps on the way there.
        input_feeding: Whether each step also reads what attention found for the step before (Luong 2015, arXiv
            1508.04025, section 3.3).
        beam_size: Hypotheses that are kept while a sequence is written; None is 1.
        length_penalty: alpha of Wu 2016, arXiv 1609.08144, eq 14: hypotheses are ranked by their log-probability over
            ((5 + U) / 6)^alpha. None is 0.6.
        temperature: Draws each symbol by softmax(logits / temperature). None writes the likeliest, but draws at 1
            where text goes on, which would circle otherwise.
        top_k: Draws among so many likeliest symbols only.
        top_p: Draws among the fewest symbols that have this share of the chance together (Holtzman 2020).
        seed: Of drawing.
    """

    rolled: bool | None = None
    teacher_forcing: float | None = None
    teacher_forcing_end: float | None = None
    teacher_forcing_steps: int | None = None
    input_feeding: bool = False
    beam_size: int | None = None
    length_penalty: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        limits.chance("decoder", teacher_forcing=self.teacher_forcing, teacher_forcing_end=self.teacher_forcing_end)
        limits.at_least("decoder", 1, teacher_forcing_steps=self.teacher_forcing_steps, beam_size=self.beam_size)
        limits.at_least("decoder", 1, top_k=self.top_k)
        limits.at_least("decoder", 0, length_penalty=self.length_penalty, seed=self.seed)
        limits.above_zero("decoder", temperature=self.temperature, top_p=self.top_p)
        limits.chance("decoder", top_p=self.top_p)
        if (self.teacher_forcing_end is None) != (self.teacher_forcing_steps is None):
            raise ConfigError(
                "decoder.teacher_forcing_end and decoder.teacher_forcing_steps belong together: the chance comes down "
                "to the one over the other"
            )
        if self.length_penalty is not None and self.beams == 1:
            raise ConfigError(
                f"decoder.length_penalty={self.length_penalty}: needs decoder.beam_size=2 or more, to choose"
            )
        if self.beams > 1 and self._given(OF_DRAWING):
            raise ConfigError(
                f"decoder.beam_size={self.beam_size}: searches the likeliest sequence, and "
                f"{self._given(OF_DRAWING)[0]} draws one; use one of them"
            )

    @property
    def beams(self) -> int:
        """Hypotheses kept."""
        return self.beam_size or 1

    def decodes(self, task: TaskSpec) -> bool:
        """Whether such a task has a decoder at all: a core of its own that is fed what it said."""
        return task.align is Align.FREE or (task.align is Align.AHEAD and bool(self.rolled))

    def check(self, task: TaskSpec) -> None:
        """Refuses what can't act on such a task.

        Raises:
            ConfigError: With the option's name.
        """
        if self.rolled is not None and task.align is not Align.AHEAD:
            raise ConfigError(f"decoder.rolled={self.rolled}: only forecasts can be rolled, and this task wants none")
        if self.rolled and not task.continues:
            raise ConfigError(
                "decoder.rolled=true: this task's outputs are of another kind than its inputs and can't be fed back"
            )
        taught = [*self._given(OF_TEACHING), *(["decoder.input_feeding=true"] if self.input_feeding else [])]
        if taught and not self.decodes(task):
            raise ConfigError(f"{taught[0]}: this task has no decoder, which is fed what it said")
        if self._given(OF_BEAMS) and task.align is not Align.FREE:
            raise ConfigError(f"{self._given(OF_BEAMS)[0]}: this task wants no sequence of its own length")
        if self._given(OF_DRAWING) and not writes(task):
            raise ConfigError(f"{self._given(OF_DRAWING)[0]}: this task writes no symbols to draw")

    def forcing(self, task: TaskSpec, step: int) -> float:
        """The chance of telling the truth after so many optimizer steps."""
        start = self.teacher_forcing
        if start is None:
            start = 1.0 if task.align is Align.FREE else 0.0
        if self.teacher_forcing_end is None or self.teacher_forcing_steps is None:
            return start
        return start + (self.teacher_forcing_end - start) * min(1.0, step / self.teacher_forcing_steps)

    def _given(self, names: tuple[str, ...]) -> list[str]:
        """The options among these that were set, as the user would type them."""
        values = ((name, getattr(self, name)) for name in names)
        return [f"decoder.{name}={value}" for name, value in values if value is not None]


def writes(task: TaskSpec) -> bool:
    """Whether a model can write symbols by itself on such a task."""
    if task.align is Align.EACH:
        return task.continues and isinstance(task.output, Symbols)
    return task.align is Align.FREE
