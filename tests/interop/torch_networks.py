"""ResNet-18 and MobileNetV2 in plain PyTorch, with the names and the order of torchvision's modules."""

from tests.ops.peers import pytorch


def resnet18(classes=10, width=64):
    """Return torchvision's resnet18 with random weights; ``width`` is that of the first stage."""
    nn = pytorch().nn

    class BasicBlock(nn.Module):
        def __init__(self, channels, filters, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(filters)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)
            self.downsample = None
            if stride != 1 or channels != filters:
                projection = nn.Conv2d(channels, filters, 1, stride, bias=False)
                self.downsample = nn.Sequential(projection, nn.BatchNorm2d(filters))

        def forward(self, x):
            side = x if self.downsample is None else self.downsample(x)
            y = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(y)) + side)

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            channels = width
            for i, filters in enumerate((width, 2 * width, 4 * width, 8 * width), start=1):
                blocks = [BasicBlock(channels, filters, 1 if i == 1 else 2), BasicBlock(filters, filters, 1)]
                setattr(self, f"layer{i}", nn.Sequential(*blocks))
                channels = filters
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(channels, classes)

        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(pytorch().flatten(self.avgpool(x), 1))

    return disturbed(ResNet())


def mobilenet_v2(classes=10, width=1.0):
    """Return torchvision's mobilenet_v2 with random weights; ``width`` multiplies the number of filters."""
    nn = pytorch().nn

    def conv_bn(channels, filters, kernel=3, stride=1, groups=1):
        conv = nn.Conv2d(channels, filters, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(filters), nn.ReLU6(inplace=True))

    class InvertedResidual(nn.Module):
        def __init__(self, channels, filters, stride, expand):
            super().__init__()
            hidden = channels * expand
            layers = [] if expand == 1 else [conv_bn(channels, hidden, 1)]
            layers += [conv_bn(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, filters, 1, bias=False)]
            self.conv = nn.Sequential(*layers, nn.BatchNorm2d(filters))
            self.around = stride == 1 and channels == filters

        def forward(self, x):
            return x + self.conv(x) if self.around else self.conv(x)

    def wide(filters):
        return max(4, int(filters * width))

    class MobileNetV2(nn.Module):
        def __init__(self):
            super().__init__()
            channels, features = wide(32), [conv_bn(3, wide(32), 3, 2)]
            plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
            for expand, usual, count, stride in [*plan, (6, 320, 1, 1)]:
                filters = wide(usual)
                for i in range(count):
                    features.append(InvertedResidual(channels, filters, stride if i == 0 else 1, expand))
                    channels = filters
            features.append(conv_bn(channels, wide(1280), 1))
            self.features = nn.Sequential(*features)
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(wide(1280), classes))

        def forward(self, x):
            x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
            return self.classifier(pytorch().flatten(x, 1))

    return disturbed(MobileNetV2())


def disturbed(model, seed=0):
    """Return the model in evaluation, its normalisations with statistics and scales unlike those of a fresh one."""
    torch = pytorch()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.7, 1.3),
                (module.bias.data, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.7, 1.3),
            ):
                tensor.uniform_(low, high, generator=generator)
    return model.eval()
