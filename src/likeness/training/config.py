"""A run's settings, for a restorer: every field explained."""

from __future__ import annotations

from dataclasses import dataclass

from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.models.gpen.config import GpenConfig
from likeness.training.run_config import RunConfig

__all__ = ["TrainConfig"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig(RunConfig):
    """Settings of one training run; counts are in pictures seen unless they say otherwise.

    Attributes:
        portraits: folder with sharp, FFHQ-aligned training portraits: picture files, or tar shards ``train-*.tar``.
        run: folder for state, statistics and sheets.
        start: checkpoint to start from (safetensors or .pth), or "identity": a network that returns its input.
        min_native_side: portraits whose native crop was smaller (portraits.csv) are left out, px; 0 takes all.
        without: table of portraits that are left out (`read_left_out`: CSV, column file); "" leaves out none.
        odds: table of portraits to draw more often (`read_factors`: CSV, columns file and factor); "" draws all alike.
        size, channel_multiplier, narrow: the network (`GpenConfig`), used with ``start = "identity"``.
        styles_up_to: modulations above this resolution do not depend on the latent (`Gpen.free_styles`).
        noise: give the network noise to draw texture from (`GpenConfig.texture`) if ``start`` has none; for the adversarial
            phase.
        noise_gain: factor on that noise's strength in the finished weights: an L1 loss is content with less texture than the
            mean, which `likeness evaluate` shows.
        pictures: how many pictures the run sees in all.
        adversarial_from: pictures seen when the discriminator joins; at or above ``pictures`` it never does.
        batch: pictures a step.
        convolution_rate: learning rate of the generator's 3 x 3 convolutions (`Muon`).
        learning_rate: of everything else in the generator (Adam); the discriminator has ``discriminator_rate``.
        final_rate: the generator's learning rates fall to this fraction at the end of the run.
        fall_from: where that fall begins, as a fraction of the run; it is linear.
        beta1: Adam's first moment while the loss is regression; with the discriminator it is ``adversarial_beta1``.
        l1, gradient: weights of the L1 loss on pixels and on their differences to neighbours.
        texture: weight of the texture loss (`texture_l1`), from ``adversarial_from`` on.
        identity: weight of the distance between persons, output against target, as face embeddings see it.
        embeddings: file of those (`identity.FaceEmbedding`); where it is missing, the run learns and writes them first.
        packaged_embedding: whether the embedding in the package judges, too; without ``embeddings``, alone.
        embedding_views: views of portraits that each of them learns from.
        feature_matching, adversarial: weights of the discriminator's losses (Wang et al., pix2pixHD, 2018; logistic,
            Goodfellow et al., 2014).
        critics: the ``critics.safetensors`` of an earlier run, to go on with; "" begins with new ones.
        parts: weight of the adversarial loss of two further critics, of the eyes as a pair and of the mouth; 0: none.
        relativistic: critics judge how much more real the original is than the restored picture at the same place, not
            each for itself (Jolicoeur-Martineau, 2018), and the penalty falls on both (Huang et al., R3GAN, 2024).
        gradient_penalty: weight of the discriminator's R1 penalty (Mescheder et al., 2018), per patch that it judges.
        face_weight: how much more eyes and mouth count than the background in L1.
        discriminator_crop: side of the random crops that the discriminator sees, px.
        discriminator_channels: its width.
        start_share: how much of the start's weights the written ones keep, 0 to below 1: what a run gains for one kind of
            picture costs less of what the start could do for others (Wortsman et al., WiSE-FT, 2022).
        severe: how many times as often as `TRAINING` says heavy blur ("train-severe") is drawn.
        pre_degrade_odds: how often the input also passes D_s with s from 0.3 to 1.2, as it will in use.
        sheet_every, save_every: how often the sample sheet is drawn, and state and statistics are written.
    """

    portraits: str
    start: str = "identity"
    min_native_side: int = 450
    without: str = ""
    odds: str = ""
    size: int = 512
    channel_multiplier: float = 1
    narrow: float = 0.5
    styles_up_to: int = 32
    noise: bool = False
    noise_gain: float = 1.0
    pictures: int = 20_000
    adversarial_from: int = 12_000
    batch: int = 2
    convolution_rate: float = 1.6e-2
    learning_rate: float = 4e-3
    discriminator_rate: float = 1e-4
    final_rate: float = 0.1
    fall_from: float = 0.8
    beta1: float = 0.9
    adversarial_beta1: float = 0.5
    l1: float = 1.0
    gradient: float = 1.0
    texture: float = 0.0
    identity: float = 0.0
    embeddings: str = ""
    packaged_embedding: bool = False
    embedding_views: int = 120_000
    feature_matching: float = 0.1
    adversarial: float = 0.01
    critics: str = ""
    parts: float = 0.0
    relativistic: bool = False
    gradient_penalty: float = 0.01
    face_weight: float = 3.0
    discriminator_crop: int = 256
    discriminator_channels: int = 32
    start_share: float = 0.0
    severe: float = 1.0
    pre_degrade_odds: float = 0.7
    sheet_every: int = 2000
    save_every: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch < 1 or self.pictures < self.batch:
            raise ConfigError(Notice("training.batch", {"pictures": self.pictures, "batch": self.batch}))
        self.need("option.at-least-one", 1, "save_every", "sheet_every", "discriminator_crop", "discriminator_channels")
        self.need("option.not-negative", 0, "severe")
        if not 0 <= self.pre_degrade_odds <= 1:
            raise ConfigError(Notice("training.share", {"name": "pre_degrade_odds", "value": self.pre_degrade_odds}))
        try:
            GpenConfig(size=self.size, channel_multiplier=self.channel_multiplier, narrow=self.narrow)
        except ValueError as error:
            raise ConfigError(Notice("training.network", {"why": str(error)})) from error
        if self.learning_rate <= 0 or self.ema_half_life <= 0:
            raise ConfigError(Notice("training.rates"))
        if self.embedding_views < 64:
            raise ConfigError(Notice("training.embedding-views", {"embedding_views": self.embedding_views}))
        if not 0 <= self.start_share < 1:
            raise ConfigError(Notice("training.start-share", {"start_share": self.start_share}))
        if self.start_share and self.start == "identity":
            raise ConfigError(Notice("training.start-share-needs"))
        if self.identity and not (self.embeddings or self.packaged_embedding):
            raise ConfigError(Notice("training.identity-needs"))
